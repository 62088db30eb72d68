import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosDestination, DestinationState, Destinations } from './destinations.ts'
import type { Nodes } from './nodes.ts'
import type { Services } from './services.ts'
import { holdTransaction, leaderOf, otherDatabase, query, terminate } from './sessions.ts'
import type { TopicName } from './topics.ts'

/** What is struck. Faults of one target follow one another, except those of different nodes; those of different targets overlap. */
export type Target = 'nodes' | 'sessions' | 'postgres' | 'kafka' | 'transactions' | 'destinations'

export interface Stage {
  readonly services: Services
  readonly nodes: Nodes
  readonly destinations: Destinations
  /** Kafka topics for destinations that come and go. */
  readonly spareKafkaTopics: readonly string[]
}

export interface FaultKind {
  readonly target: Target
  readonly weight: number
  /** Strikes, and heals before it resolves. `random` belongs to this fault alone. */
  readonly strike: (stage: Stage, random: () => number) => Promise<void>
}

/** All kinds of faults: a weight says how often one comes. */
export const faultKinds: Readonly<Record<string, FaultKind>> = {
  'kill node': {
    target: 'nodes',
    weight: 3,
    strike: async (stage, random) => onNode(stage, random, killAndStart(random)),
  },
  'kill leader': {
    target: 'nodes',
    weight: 4,
    strike: async (stage, random) => onLeader(stage, random, killAndStart(random)),
  },
  'kill leader at an acknowledgement': {
    target: 'nodes',
    weight: 7,
    strike: async (stage, random) =>
      onLeader(stage, random, async ({ nodes }, index) => {
        await nodes.killAtAcknowledgement(index)
        await nodes.start(index)
      }),
  },
  'pause leader, end its sessions': {
    target: 'nodes',
    weight: 4,
    strike: async (stage, random) =>
      onLeader(stage, random, async ({ nodes, services }, index) =>
        whilePaused(nodes, index, async () => {
          await terminate(services.databaseUrl, 'application_name = $1', [nodes.nameOf(index)])
          await delay(500 + random() * 3000)
        }),
      ),
  },
  'pause leader beyond its session': {
    target: 'nodes',
    weight: 0.7,
    // The sessions of leadership end after ten silent seconds.
    strike: async (stage, random) =>
      onLeader(stage, random, async ({ nodes }, index) =>
        whilePaused(nodes, index, () => delay(10_500 + random() * 3000)),
      ),
  },
  'stop node': {
    target: 'nodes',
    weight: 2,
    strike: async (stage, random) =>
      onNode(stage, random, async ({ nodes }, index) => {
        await nodes.stop(index)
        await nodes.start(index)
      }),
  },
  'end leadership sessions': {
    target: 'sessions',
    weight: 3,
    strike: async ({ services }) => {
      await terminate(
        services.databaseUrl,
        `pid in (select pid from pg_locks where locktype = 'advisory' and granted)`,
      )
    },
  },
  'end any sessions': {
    target: 'sessions',
    weight: 3,
    strike: async ({ services }, random) => {
      await terminate(
        services.databaseUrl,
        `application_name like 'chaos-node-%' and hashtext(pid || $1) % 3 = 0`,
        [String(random())],
      )
    },
  },
  'restart PostgreSQL': {
    target: 'postgres',
    weight: 0.8,
    strike: async ({ services }) => services.postgres?.restart(),
  },
  'crash PostgreSQL': {
    target: 'postgres',
    weight: 0.8,
    strike: async ({ services }, random) => services.postgres?.crash(random() * 1000),
  },
  'kill Kafka': {
    target: 'kafka',
    weight: 1,
    strike: async ({ services: { kafka } }, random) => {
      await kafka?.kill()
      await delay(random() * 1500)
      await kafka?.start()
    },
  },
  'pause Kafka': {
    target: 'kafka',
    weight: 1.2,
    strike: async ({ services: { kafka } }, random) => {
      kafka?.pause()
      await delay(500 + random() * 3500)
      kafka?.resume()
    },
  },
  'long transaction': {
    target: 'transactions',
    weight: 2,
    strike: async ({ services }, random) => holdTransaction(services.databaseUrl, random),
  },
  'long transaction in another database': {
    target: 'transactions',
    weight: 1,
    strike: async ({ services }, random) => holdTransaction(otherDatabase(services), random),
  },
  'slow commits': {
    target: 'transactions',
    weight: 4,
    strike: async ({ services }, random) => {
      const share = 0.1 + random() * 0.3
      await query(services.databaseUrl, 'update chaos.slow_commit set share = $1', [share])
      await delay(1000 + random() * 2000)
      await query(services.databaseUrl, 'update chaos.slow_commit set share = default')
    },
  },
  'jump of event ids': {
    target: 'transactions',
    weight: 1,
    // As if as many writes had been rolled back: the ring of the log turns.
    strike: async ({ services }) =>
      query(
        services.databaseUrl,
        `select setval('topic_destination.event_id_seq', nextval('topic_destination.event_id_seq') + 70000)`,
      ),
  },
  'add destination': {
    target: 'destinations',
    weight: 3,
    strike: async (stage, random) => {
      const { destinations } = stage
      const present = spare(destinations)
      const [oldest] = present
      if (present.length >= mostSpare && oldest) await destinations.remove(oldest, random)
      const id = `spare-${destinations.all.length}`
      await destinations.put(id, drawState(stage, random), random)
    },
  },
  'change destination': {
    target: 'destinations',
    weight: 5,
    strike: async (stage, random) => {
      const { destinations } = stage
      const present = spare(destinations)
      const changed = present[Math.floor(random() * present.length)]
      const state = changed?.state
      if (!state) return destinations.put(nextId(destinations), drawState(stage, random), random)
      await destinations.put(changed.id, { ...state, ...drawChange(stage, random) }, random)
    },
  },
  'switch destination off and on': {
    target: 'destinations',
    weight: 2,
    strike: async ({ destinations }, random) => {
      const present = destinations.all.filter(({ state }) => state?.kind === 'kafka-at-least-once')
      const switched = present[Math.floor(random() * present.length)]
      const state = switched?.state
      if (!state) return
      await destinations.put(switched.id, { ...state, status: 'off' }, random)
      await delay(random() * 2000)
      await destinations.put(switched.id, { ...state, status: 'active' }, random)
    },
  },
  'delete destination': {
    target: 'destinations',
    weight: 1.5,
    strike: async ({ destinations }, random) => {
      const [oldest] = spare(destinations)
      if (oldest) await destinations.remove(oldest, random)
    },
  },
}

/** Whether faults of that name end a node or a session, and with it what it knew of best effort. */
export function endsSessions(name: string): boolean {
  const target = faultKinds[name]?.target
  return target === 'nodes' || target === 'sessions' || target === 'postgres'
}

const mostSpare = 4

type NodeWork = (stage: Stage, index: number) => Promise<void>

/** Does the work with a node that no other fault has. */
async function onNode(
  stage: Stage,
  random: () => number,
  work: NodeWork,
  wanted?: number,
): Promise<void> {
  const index = stage.nodes.claim(random, wanted)
  try {
    await work(stage, index)
  } finally {
    stage.nodes.release(index)
  }
}

/** As `onNode`, with a node that leads a destination if there is one to have. */
async function onLeader(stage: Stage, random: () => number, work: NodeWork): Promise<void> {
  const leader = await leaderOf(stage.services.databaseUrl, stage.nodes, random)
  await onNode(stage, random, work, leader)
}

function spare({ all }: Destinations): readonly ChaosDestination[] {
  return all.filter(({ id, state }) => state && id.startsWith('spare-'))
}

function nextId({ all }: Destinations): string {
  return `spare-${all.length}`
}

const spareTopics: readonly TopicName[] = ['spare-observations', 'spare-mixed']
const contents: readonly DestinationState['content'][] = ['full-resource', 'id-only', 'empty']

function draw<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T
}

function drawState({ spareKafkaTopics }: Stage, random: () => number): DestinationState {
  return {
    kind: 'kafka-at-least-once',
    topic: draw(spareTopics, random),
    kafkaTopic: draw(spareKafkaTopics, random),
    content: draw(contents, random),
    status: 'active',
  }
}

function drawChange(stage: Stage, random: () => number): Partial<DestinationState> {
  const { topic, kafkaTopic, content } = drawState(stage, random)
  return draw([{ topic }, { kafkaTopic }, { content }, { topic, content }], random)
}

function killAndStart(random: () => number): NodeWork {
  return async ({ nodes }, index) => {
    await nodes.kill(index)
    await delay(random() * 1000)
    await nodes.start(index)
  }
}

async function whilePaused(
  nodes: Nodes,
  index: number,
  work: () => Promise<unknown>,
): Promise<void> {
  nodes.pause(index)
  try {
    await work()
  } finally {
    nodes.resume(index)
  }
}

/** What the faults need in the database: commits that take their time, as with a slow disk or a synchronous standby. An event has
 *  drawn its id by then, and appears after later ones. */
export const faultSql = `create schema chaos;
create table chaos.slow_commit (share float8 not null default 0.02);
insert into chaos.slow_commit default values;
create function chaos.commit_slowly() returns trigger language plpgsql as $$
begin
  -- Once for a transaction, however many rows it has written.
  if current_setting('chaos.transaction', true) is not distinct from pg_current_xact_id()::text then return null; end if;
  perform set_config('chaos.transaction', pg_current_xact_id()::text, true);
  if random() < (select share from chaos.slow_commit) then perform pg_sleep(random() * 0.4); end if;
  return null;
end $$;
create constraint trigger commit_slowly after insert on fhir_resource_history
  deferrable initially deferred for each row execute function chaos.commit_slowly();`
