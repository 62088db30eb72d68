import type { SqlTx } from '../host/types.ts'
import type { Leadership } from '../outbox/leadership.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { Lane } from './lane.ts'
import type { LaneParts } from './lane-parts.ts'
import { QueueWatch } from './queue-watch.ts'
import type { RegisteredDestination, Registry } from './registry.ts'
import { Signal } from './signal.ts'

export interface LaneSupervisorParts extends Omit<
  LaneParts,
  'destinationId' | 'epoch' | 'destination' | 'sourceVersion'
> {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly registry: Pick<Registry, 'destinations' | 'onChange'>
  readonly leadership: Pick<Leadership, 'tryLead' | 'resign' | 'onLost'>
}

interface RunningLane {
  readonly lane: Lane
  /** The queue it reads now. */
  readonly topicId: number
  readonly ended: Promise<void>
}

/** Runs a lane for every at-least-once destination this node leads, and keeps trying to lead the others. */
export class LaneSupervisor {
  readonly #parts: LaneSupervisorParts
  readonly #lanes = new Map<number, RunningLane>()
  readonly #watch: QueueWatch
  readonly #signal = new Signal()
  #isStopping = false
  #loop: Promise<void> | undefined

  constructor(parts: LaneSupervisorParts) {
    this.#parts = parts
    this.#watch = new QueueWatch(parts, () => [...this.#lanes.values()].map(({ lane }) => lane))
  }

  start(): void {
    // Lanes learn of a change at once, also while the loop waits for the database.
    this.#parts.registry.onChange(() => {
      this.#updateLanes()
      this.#signal.raise()
    })
    this.#parts.leadership.onLost(() => {
      this.#stopLanes()
      this.#signal.raise()
    })
    this.#loop = this.#supervise()
    this.#watch.start()
  }

  wake(topicIds: ReadonlySet<number>): void {
    for (const { lane, topicId } of this.#lanes.values()) if (topicIds.has(topicId)) lane.wake()
  }

  /** Ends every lane after its page under way, then hands its leadership over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#signal.raise()
    this.#stopLanes()
    await this.#loop
    await this.#watch.stop()
    await Promise.all([...this.#lanes.values()].map(({ ended }) => ended))
  }

  async #supervise(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#leadMore()
      } catch (error) {
        this.#parts.logger.warn({ err: error }, 'cannot take up leadership; will retry')
      }
      // Jitter, so that the nodes of a cluster do not ask in step.
      await this.#signal.wait(this.#parts.pollIntervalMs * (0.8 + Math.random() * 0.4))
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

  #updateLanes(): void {
    const wanted = this.#wanted()
    for (const [destinationId, running] of this.#lanes) {
      const registered = wanted.get(destinationId)
      if (registered?.destination) {
        const { topicId, sourceVersion } = registered.row
        running.lane.update(registered.destination, sourceVersion)
        this.#lanes.set(destinationId, { ...running, topicId })
      } else running.lane.stop()
    }
  }

  #stopLanes(): void {
    for (const { lane } of this.#lanes.values()) lane.stop()
  }

  async #leadMore(): Promise<void> {
    const unled = [...this.#wanted().keys()].filter((id) => !this.#lanes.has(id))
    if (unled.length === 0) return
    const led = await this.#parts.leadership.tryLead(unled)
    // Meanwhile a destination may have changed or gone, or this node may be stopping.
    const wanted = this.#wanted()
    for (const { destinationId, epoch } of led) {
      const registered = wanted.get(destinationId)
      if (registered?.destination && !this.#isStopping) this.#begin(registered, epoch)
      else await this.#resign(destinationId)
    }
  }

  #begin({ row, destination }: RegisteredDestination, epoch: number): void {
    if (!destination) return
    const { destinationId, topicId, sourceVersion, reference } = row
    const lane = new Lane({ ...this.#parts, destinationId, epoch, destination, sourceVersion })
    this.#parts.logger.info({ destination: reference, epoch }, 'leading')
    this.#lanes.set(destinationId, { lane, topicId, ended: this.#run(lane, destinationId) })
  }

  async #run(lane: Lane, destinationId: number): Promise<void> {
    await lane.run()
    this.#lanes.delete(destinationId)
    await this.#resign(destinationId)
    this.#signal.raise()
  }

  async #resign(destinationId: number): Promise<void> {
    try {
      await this.#parts.leadership.resign(destinationId)
    } catch (error) {
      // The session is gone, and its locks with it.
      this.#parts.logger.debug({ err: error, destinationId }, 'leadership was already lost')
    }
  }
}
