import type { TopologySource } from '../parse-topology.ts'
import { look, type HealthOptions } from './check-health.ts'
import type { TopologyHealth } from './topology-health.ts'

export interface HealthProbeOptions extends HealthOptions {
  /** How long what was found is the answer, in milliseconds. Default 10000. */
  readonly maxAgeMs?: number | undefined
}

const defaultMaxAgeMs = 10_000

/** The health of a topology for whoever is asked often: what was found holds for a while, and all who ask meanwhile share one look. So probes cost the
 *  cluster the same, however many there are. */
export class HealthProbe {
  readonly #source: TopologySource
  readonly #options: HealthProbeOptions
  readonly #nowMs: () => number
  #looking: Promise<TopologyHealth> | undefined
  #found: { readonly health: TopologyHealth; readonly atMs: number } | undefined
  #ended: Promise<unknown> = Promise.resolve()

  constructor(
    source: TopologySource,
    options: HealthProbeOptions = {},
    nowMs: () => number = () => performance.now(),
  ) {
    this.#source = source
    this.#options = options
    this.#nowMs = nowMs
  }

  /** @throws as {@link checkHealth}; that is not kept */
  async check(): Promise<TopologyHealth> {
    const { maxAgeMs = defaultMaxAgeMs } = this.#options
    if (this.#found && this.#nowMs() - this.#found.atMs < maxAgeMs) return this.#found.health
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<TopologyHealth> {
    const { health, ended } = await look(this.#source, this.#options)
    const before = this.#ended
    // Without its value, which would hold those of all looks before.
    this.#ended = ended.then(() => before).then(() => undefined)
    this.#found = { health, atMs: this.#nowMs() }
    return health
  }

  /** Waits for a look that is under way and for the end of its connections. */
  async close(): Promise<void> {
    await this.#looking?.catch(() => undefined)
    await this.#ended
  }
}
