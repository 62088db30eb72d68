import { endsWithin } from '../deadline.ts'
import type { LaneView } from '../observability/module-metrics.ts'
import type { SqlTx } from '../host/types.ts'
import type { EventNotices } from '../outbox/event-notices.ts'
import type { Leadership, LedDestination } from '../outbox/leadership.ts'
import type { NodePresence } from '../outbox/node-presence.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { runnableJobs } from './jobs/runnable-jobs.ts'
import { Lane } from './lane.ts'
import type { LaneParts } from './lane-parts.ts'
import { LaneSpread } from './lane-spread.ts'
import { PollLoop } from './poll-loop.ts'
import { wakeWaiting } from './queue-watch.ts'
import type { RegisteredDestination } from './registered-destination.ts'
import type { Registry } from './registry.ts'

export interface LaneSupervisorParts extends Omit<
  LaneParts,
  'destinationId' | 'epoch' | 'destination' | 'sourceVersion'
> {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly registry: Pick<Registry, 'destinations' | 'onChange'>
  readonly presence: Pick<NodePresence, 'onLost' | 'onNotice'>
  readonly leadership: Pick<Leadership, 'tryLead' | 'resign' | 'leave'>
  readonly notices: Pick<EventNotices, 'send'>
}

/** Time for what is given up at `stopTimeoutMs` to end. */
const endingMs = 1000
/** How often jobs are looked for that were asked for on other nodes. */
const jobsIntervalMs = 1000

interface RunningLane {
  readonly lane: Lane
  /** The queue it reads now. */
  readonly topicId: number
  readonly isEnding: boolean
  readonly ended: Promise<void>
}

/** Runs a lane for every at-least-once destination this node leads, and keeps trying to lead its part of them all. */
export class LaneSupervisor {
  readonly #parts: LaneSupervisorParts
  readonly #lanes = new Map<number, RunningLane>()
  readonly #spread = new LaneSpread()
  readonly #leading: PollLoop
  readonly #watching: PollLoop
  readonly #jobs: PollLoop
  /** Topics that have a destination without a lane here; undefined when it is to be found out anew. */
  #ledElsewhere: ReadonlySet<number> | undefined
  #isStopping = false

  constructor(parts: LaneSupervisorParts) {
    this.#parts = parts
    const { db, schema, pollIntervalMs: intervalMs, logger } = parts
    const lanes = (): Lane[] => [...this.#lanes.values()].map(({ lane }) => lane)
    this.#leading = new PollLoop({
      intervalMs,
      work: () => this.#lead(),
      onError: (error) => {
        logger.warn({ err: error }, 'cannot take up leadership; will retry')
      },
    })
    this.#jobs = new PollLoop({
      intervalMs: jobsIntervalMs,
      work: () => this.#putJobs(),
      onError: (error) => {
        logger.warn({ err: error }, 'cannot look for jobs; will retry')
      },
    })
    this.#watching = new PollLoop({
      intervalMs,
      work: () => wakeWaiting(db, schema, lanes),
      onError: (error) => {
        logger.warn({ err: error }, 'cannot look for new events; will retry')
      },
    })
  }

  start(): void {
    const { registry, presence } = this.#parts
    // Lanes learn of a change at once, also while the loop waits for the database.
    registry.onChange(() => {
      this.#updateLanes()
      this.#leading.wake()
    })
    presence.onLost(() => {
      this.#stopLanes()
      this.#leading.wake()
    })
    presence.onNotice((topicIds) => {
      this.#wakeLanes(new Set(topicIds))
    })
    this.#leading.start()
    this.#watching.start()
    this.#jobs.start()
  }

  /** An operator has asked for something on this node. */
  lookForJobs(): void {
    this.#jobs.wake()
  }

  /** The lanes that run on this node. */
  get lanes(): readonly LaneView[] {
    return [...this.#lanes].map(([destinationId, { lane }]) => ({ destinationId, ...lane.view }))
  }

  /** This node has written events for these topics. */
  wake(topicIds: ReadonlySet<number>): void {
    this.#wakeLanes(topicIds)
    const elsewhere = (this.#ledElsewhere ??= this.#findLedElsewhere())
    this.#parts.notices.send([...topicIds].filter((topicId) => elsewhere.has(topicId)))
  }

  /** Ends every lane after its page under way, then hands its leadership over. A lane whose Kafka cluster hangs is left to itself after
   *  `stopTimeoutMs`: its call can last for a `requestTimeoutMs` yet, and whoever leads next fences it. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#stopLanes()
    await this.#leading.stop()
    await this.#watching.stop()
    await this.#jobs.stop()
    await this.#parts.leadership.leave().catch((error: unknown) => {
      this.#parts.logger.debug(
        { err: error },
        'the other nodes will see later that this one leaves',
      )
    })
    const ended = Promise.all([...this.#lanes.values()].map((lane) => lane.ended))
    await endsWithin(ended, this.#parts.stopTimeoutMs + endingMs)
  }

  async #putJobs(): Promise<void> {
    const jobs = await runnableJobs(this.#parts.db, this.#parts.schema)
    for (const [destinationId, { lane }] of this.#lanes) {
      lane.putJobs(jobs.filter((job) => job.destinationId === destinationId))
    }
  }

  #wanted(): ReadonlyMap<number, RegisteredDestination> {
    const wanted = new Map<number, RegisteredDestination>()
    for (const registered of this.#parts.registry.destinations.values()) {
      const { row, destination } = registered
      if (row.kind === 'kafka-at-least-once' && destination) {
        wanted.set(row.destinationId, registered)
      }
    }
    return wanted
  }

  #wakeLanes(topicIds: ReadonlySet<number>): void {
    for (const { lane, topicId } of this.#lanes.values()) if (topicIds.has(topicId)) lane.wake()
  }

  #findLedElsewhere(): ReadonlySet<number> {
    const { registry } = this.#parts
    const rows = [...registry.destinations.values()].map(({ row }) => row)
    return new Set(
      rows
        .filter((row) => row.kind === 'kafka-at-least-once' && !this.#lanes.has(row.destinationId))
        .map(({ topicId }) => topicId),
    )
  }

  #updateLanes(): void {
    const wanted = this.#wanted()
    for (const [destinationId, running] of this.#lanes) {
      const registered = wanted.get(destinationId)
      if (registered?.destination) {
        const { topicId, sourceVersion } = registered.row
        running.lane.update(registered.destination, sourceVersion)
        this.#lanes.set(destinationId, { ...running, topicId })
      } else this.#end(destinationId, running)
    }
    this.#ledElsewhere = undefined
  }

  #stopLanes(): void {
    for (const [destinationId, running] of this.#lanes) this.#end(destinationId, running)
  }

  #end(destinationId: number, running: RunningLane): void {
    this.#lanes.set(destinationId, { ...running, isEnding: true })
    running.lane.stop()
  }

  async #lead(): Promise<void> {
    const wanted = this.#wanted()
    const unled = [...wanted.keys()].filter((id) => !this.#lanes.has(id))
    const { leadership } = this.#parts
    const share = { total: wanted.size, led: this.#spread.shared(this.#lanes.size) }
    const { won, left, nodes } = await leadership.tryLead(unled, share)
    await this.#begin(won)
    const overdue = this.#spread.overdue(left, performance.now())
    if (overdue.length > 0) {
      const adopted = (await leadership.tryLead(overdue)).won
      for (const { destinationId } of adopted) this.#spread.adopt(destinationId)
      await this.#begin(adopted)
    }
    this.#giveUpSurplus(wanted.size, nodes)
  }

  /** What is at rest goes first: nobody waits for it. */
  #giveUpSurplus(total: number, nodes: number): void {
    const running = [...this.#lanes].filter(([, { isEnding }]) => !isEnding)
    const isBusy = ({ lane }: RunningLane): boolean => lane.restingPlace === undefined
    const inOrder = running.toSorted(([, a], [, b]) => Number(isBusy(b)) - Number(isBusy(a)))
    const surplus = this.#spread.surplus(
      inOrder.map(([id]) => id),
      total,
      nodes,
    )
    for (const destinationId of surplus) {
      const lane = this.#lanes.get(destinationId)
      if (lane) this.#end(destinationId, lane)
    }
  }

  /** Meanwhile a destination may have changed or gone, or this node may be stopping. */
  async #begin(won: readonly LedDestination[]): Promise<void> {
    if (won.length === 0) return
    const wanted = this.#wanted()
    // First: while one is resigned the presence may be lost, and all the others with it.
    for (const { destinationId, epoch } of won) {
      const registered = wanted.get(destinationId)
      if (registered && !this.#isStopping) this.#beginLane(registered, epoch)
    }
    for (const { destinationId } of won) {
      if (!this.#lanes.has(destinationId)) await this.#resign(destinationId)
    }
  }

  #beginLane({ row, destination }: RegisteredDestination, epoch: number): void {
    if (!destination) return
    const { destinationId, topicId, sourceVersion, reference } = row
    const lane = new Lane({ ...this.#parts, destinationId, epoch, destination, sourceVersion })
    this.#parts.logger.info({ destination: reference, epoch }, 'leading')
    this.#parts.telemetry?.leads(reference, epoch, true)
    const ended = this.#run(lane, destinationId).finally(() => {
      this.#parts.telemetry?.leads(reference, epoch, false)
    })
    this.#lanes.set(destinationId, { lane, topicId, isEnding: false, ended })
    this.#ledElsewhere = undefined
    this.#jobs.wake()
  }

  async #run(lane: Lane, destinationId: number): Promise<void> {
    await lane.run()
    this.#lanes.delete(destinationId)
    this.#ledElsewhere = undefined
    await this.#resign(destinationId)
    this.#leading.wake()
  }

  async #resign(destinationId: number): Promise<void> {
    this.#spread.forget(destinationId)
    try {
      await this.#parts.leadership.resign(destinationId)
    } catch (error) {
      // The session is gone, and its leaderships with it; or the next election finds that the row still names this node.
      this.#parts.logger.debug({ err: error, destinationId }, 'leadership was already lost')
    }
  }
}
