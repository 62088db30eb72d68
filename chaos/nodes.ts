import type { ModuleOptions } from '../src/options.ts'
import { startServerProcess, type ServerProcess } from '../test/helpers/server-process.ts'
import { untilDone, withDeadline } from './deadline.ts'

export interface NodesOptions {
  readonly count: number
  readonly databaseUrl: string
  readonly moduleOptions: Partial<ModuleOptions>
  /** Name of a file in planted/. */
  readonly planted: string | undefined
}

interface NodeSlot {
  readonly name: string
  process: ServerProcess | undefined
  isPaused: boolean
  isClaimed: boolean
}

/** What the nodes' logs told. */
export interface NodeTally {
  /** Leaderships taken up. */
  leaders: number
  /** Events that a new leader found in Kafka by their checkpoint. */
  settledByCheckpoint: number
  /** Graceful stops that did not end with code 0. */
  failedStops: number
  /** Nodes that ended without being told to. */
  crashes: number
}

/** The nodes of a run, each a process of its own. */
export class Nodes {
  readonly tally: NodeTally = { leaders: 0, settledByCheckpoint: 0, failedStops: 0, crashes: 0 }
  readonly #options: NodesOptions
  readonly #slots: readonly NodeSlot[]
  #isEnding = false

  constructor(options: NodesOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      name: `chaos-node-${index}`,
      process: undefined,
      isPaused: false,
      isClaimed: false,
    }))
  }

  get count(): number {
    return this.#slots.length
  }

  /** `application_name` of the node's database sessions. */
  nameOf(index: number): string {
    return this.#slot(index).name
  }

  indexOfProcess(processId: number): number | undefined {
    const index = this.#slots.findIndex((slot) => slot.process?.processId === processId)
    return index < 0 ? undefined : index
  }

  /** Gives out the wanted node, or another that is free, until `release`. */
  claim(random: () => number, wanted?: number): number {
    const free = this.#slots.filter(({ isClaimed }) => !isClaimed)
    const asked = wanted === undefined ? undefined : this.#slots[wanted]
    const slot = asked?.isClaimed === false ? asked : free[Math.floor(random() * free.length)]
    if (!slot) throw new Error('every node is claimed')
    slot.isClaimed = true
    return this.#slots.indexOf(slot)
  }

  release(index: number): void {
    this.#slot(index).isClaimed = false
  }

  /** Base URLs of the nodes that run and are not paused. */
  urls(): readonly string[] {
    return this.#slots.flatMap(({ process, isPaused }) =>
      process && !isPaused ? [process.url] : [],
    )
  }

  async startAll(): Promise<void> {
    // One first: it creates the tables. The others may come at the same time.
    await this.start(0)
    await Promise.all(this.#slots.slice(1).map(async (_, index) => this.start(index + 1)))
  }

  /** Starts the node if it does not run; again and again while the database is away. */
  async start(index: number): Promise<void> {
    const slot = this.#slot(index)
    if (slot.process) return
    const url = new URL(this.#options.databaseUrl)
    url.searchParams.set('application_name', slot.name)
    const env = {
      DATABASE_URL: url.href,
      CHAOS_MODULE_OPTIONS: JSON.stringify(this.#options.moduleOptions),
      CHAOS_PLANTED: this.#options.planted ?? '',
    }
    slot.process = await untilDone(`the start of ${slot.name}`, async () => {
      if (this.#isEnding) throw new Error('the run ends')
      return startServerProcess(env, 'chaos/node.ts', (line) => {
        this.#read(line)
      })
    })
    // The run was called off meanwhile.
    if (this.#isEnding) await slot.process.kill()
    void this.#watch(slot, slot.process)
  }

  async #watch(slot: NodeSlot, process: ServerProcess): Promise<void> {
    await process.exited
    if (slot.process !== process) return
    slot.process = undefined
    this.tally.crashes++
  }

  async kill(index: number): Promise<void> {
    const slot = this.#slot(index)
    const { process } = slot
    slot.process = undefined
    await process?.kill()
  }

  /** SIGTERM: it hands over what it leads. */
  async stop(index: number): Promise<void> {
    const slot = this.#slot(index)
    const { process } = slot
    slot.process = undefined
    if (process && (await process.stop()) !== 0) this.tally.failedStops++
  }

  pause(index: number): void {
    const slot = this.#slot(index)
    if (!slot.process) return
    slot.isPaused = true
    signal(slot.process, 'SIGSTOP')
  }

  resume(index: number): void {
    const slot = this.#slot(index)
    slot.isPaused = false
    if (slot.process) signal(slot.process, 'SIGCONT')
  }

  /** Has the node kill itself between Kafka's commit and its acknowledgement.
   *  @returns whether it did; one that came to no acknowledgement is killed */
  async killAtAcknowledgement(index: number): Promise<boolean> {
    const slot = this.#slot(index)
    const { process } = slot
    if (!process) return false
    slot.process = undefined
    signal(process, 'SIGUSR2')
    const hasStruck = await withDeadline(process.exited, 3000, 'an acknowledgement').then(
      () => true,
      () => false,
    )
    await process.kill()
    return hasStruck
  }

  /** Ends all, whatever state they are in. */
  async end(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#slots.map(async (_, index) => this.kill(index)))
  }

  #slot(index: number): NodeSlot {
    const slot = this.#slots[index]
    if (!slot) throw new RangeError(`there is no node ${index}`)
    return slot
  }

  #read(line: string): void {
    if (line.includes('"msg":"leading"')) this.tally.leaders++
    const settled = /"settled":(\d+)/.exec(line)?.[1]
    if (settled !== undefined) this.tally.settledByCheckpoint += Number(settled)
  }
}

function signal({ processId }: ServerProcess, name: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR2'): void {
  try {
    process.kill(processId, name)
  } catch {
    // It has just ended by itself.
  }
}
