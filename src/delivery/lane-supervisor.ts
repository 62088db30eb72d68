import type { SqlTx } from '../host/types.ts'
import type { Leadership } from '../outbox/leadership.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { Lane, type LaneParts } from './lane.ts'
import type { RegisteredDestination, Registry } from './registry.ts'
import { Signal } from './signal.ts'

export interface LaneSupervisorParts
  extends Omit<LaneParts, 'destinationId' | 'epoch' | 'destination'> {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly registry: Registry
  readonly leadership: Leadership
}

interface RunningLane {
  readonly lane: Lane
  readonly topicId: number
  readonly ended: Promise<void>
}

/** Runs a lane for every at-least-once destination this node leads, and keeps trying to lead the others. */
export class LaneSupervisor {
  readonly #parts: LaneSupervisorParts
  readonly #lanes = new Map<number, RunningLane>()
  readonly #signal = new Signal()
  #isStopping = false
  #loop: Promise<void> | undefined

  constructor(parts: LaneSupervisorParts) {
    this.#parts = parts
  }

  start(): void {
    this.#parts.registry.onChange(() => {
      this.#signal.raise()
    })
    this.#parts.leadership.onLost(() => {
      for (const { lane } of this.#lanes.values()) lane.stop()
      this.#signal.raise()
    })
    this.#loop = this.#supervise()
  }

  wake(topicIds: ReadonlySet<number>): void {
    for (const { lane, topicId } of this.#lanes.values()) if (topicIds.has(topicId)) lane.wake()
  }

  /** Ends every lane after its page under way, then hands its leadership over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#signal.raise()
    await this.#loop
    const running = [...this.#lanes.values()]
    for (const { lane } of running) lane.stop()
    await Promise.all(running.map(({ ended }) => ended))
  }

  async #supervise(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#reconcile()
      } catch (error) {
        this.#parts.logger.warn({ err: error }, 'cannot take up leadership; will retry')
      }
      // Jitter, so that the nodes of a cluster do not ask in step.
      await this.#signal.wait(this.#parts.pollIntervalMs * (0.8 + Math.random() * 0.4))
    }
  }

  async #reconcile(): Promise<void> {
    const wanted = new Map<number, RegisteredDestination>()
    for (const registered of this.#parts.registry.destinations.values()) {
      const { row, destination } = registered
      if (row.kind === 'kafka-at-least-once' && destination) wanted.set(row.destinationId, registered)
    }
    for (const [destinationId, { lane }] of this.#lanes) {
      const destination = wanted.get(destinationId)?.destination
      if (destination) lane.update(destination)
      else lane.stop()
    }
    const unled = [...wanted.keys()].filter((destinationId) => !this.#lanes.has(destinationId))
    if (unled.length === 0) return
    for (const { destinationId, epoch } of await this.#parts.leadership.tryLead(unled)) {
      const registered = wanted.get(destinationId)
      if (registered) this.#begin(registered, epoch)
    }
  }

  #begin({ row, destination }: RegisteredDestination, epoch: number): void {
    if (!destination) return
    const { destinationId, topicId, reference } = row
    const lane = new Lane({ ...this.#parts, destinationId, epoch, destination })
    this.#parts.logger.info({ destination: reference, epoch }, 'leading')
    const ended = lane.run().then(async () => {
      this.#lanes.delete(destinationId)
      await this.#resign(destinationId)
    })
    this.#lanes.set(destinationId, { lane, topicId, ended })
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
