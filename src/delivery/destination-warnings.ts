import { validityNotices } from '../kafka/certificate-validity.ts'
import { unusedSecurity } from '../kafka/unused-security.ts'
import type { Logger } from '../observability/logger.ts'
import { catalogueFault } from '../resources/catalogue-issues.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import { Slices } from '../slices.ts'
import type { Catalogue } from '../topology/catalogue.ts'
import type { Registry } from './registry.ts'

const repeatMs = 86_400_000
const lookIntervalMs = 3_600_000

/** Says in the log which certificates have ended or end soon, what is given but not used, and what would be refused by the catalogue today: when a
 *  destination comes or changes, and then once a day. */
export class DestinationWarnings {
  readonly #registry: Pick<Registry, 'destinations'>
  readonly #logger: Logger
  readonly #catalogue: Catalogue | undefined
  readonly #nowMs: () => number
  readonly #looked = new Map<string, { readonly at: number; readonly as: TopicDestination }>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    registry: Pick<Registry, 'destinations'>,
    logger: Logger,
    catalogue?: Catalogue,
    nowMs: () => number = () => Date.now(),
  ) {
    this.#registry = registry
    this.#logger = logger
    this.#catalogue = catalogue
    this.#nowMs = nowMs
  }

  start(): void {
    this.#timer = setInterval(() => {
      void this.look()
    }, lookIntervalMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** What was looked at within a day and is the same as then costs nothing. In slices: certificates take a while, and at the start all are new. */
  async look(): Promise<void> {
    const slices = new Slices()
    const { destinations } = this.#registry
    for (const reference of this.#looked.keys()) {
      if (!destinations.has(reference)) this.#looked.delete(reference)
    }
    const at = this.#nowMs()
    for (const [reference, { destination }] of destinations) {
      const before = this.#looked.get(reference)
      if (!destination || (before?.as === destination && at - before.at < repeatMs)) continue
      // Another look has seen it change meanwhile.
      if (this.#registry.destinations.get(reference)?.destination !== destination) continue
      this.#looked.set(reference, { at, as: destination })
      const { parameters } = destination
      for (const { parameter, message } of validityNotices(parameters, at)) {
        this.#logger.warn(
          { destination: reference, parameter, cause: message },
          'a certificate of a destination ends soon, or is outside its time',
        )
      }
      for (const { parameter, message } of unusedSecurity(parameters)) {
        this.#logger.warn(
          { destination: reference, parameter, cause: message },
          'a destination is less protected than its parameters say',
        )
      }
      const cause = catalogueFault(parameters, this.#catalogue)
      if (cause !== undefined) {
        this.#logger.warn(
          { destination: reference, parameter: 'kafkaTopic', cause },
          'a destination writes to a Kafka topic that the catalogue does not declare for it',
        )
      }
      await slices.pause()
    }
  }
}
