import type { Logger } from '../observability/logger.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** Shortest time between two notices of a node. PostgreSQL lets one transaction of the whole cluster at a time through with its notices. */
const intervalMs = 20
/** A payload has at most 8000 bytes. */
const topicsPerNotice = 500

/** Tells the other nodes which topics have got events, after COMMIT and at most every 20 ms. A notice that is lost costs time only: nodes
 *  look by themselves. */
export class EventNotices {
  readonly #db: Queryable
  readonly #schema: OutboxSchema
  readonly #logger: Logger
  readonly #topicIds = new Set<number>()
  #timer: NodeJS.Timeout | undefined

  constructor(db: Queryable, schema: OutboxSchema, logger: Logger) {
    this.#db = db
    this.#schema = schema
    this.#logger = logger
  }

  /** Returns at once. */
  send(topicIds: Iterable<number>): void {
    for (const topicId of topicIds) this.#topicIds.add(topicId)
    if (this.#timer || this.#topicIds.size === 0) return
    this.#sendCollected()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.send([])
    }, intervalMs)
    this.#timer.unref()
  }

  #sendCollected(): void {
    const topicIds = [...this.#topicIds]
    this.#topicIds.clear()
    const payloads: string[] = []
    for (let start = 0; start < topicIds.length; start += topicsPerNotice) {
      payloads.push(topicIds.slice(start, start + topicsPerNotice).join(','))
    }
    this.#db
      .query('select pg_notify($1, payload) from unnest($2::text[]) payload', [
        channelName(this.#schema),
        payloads,
      ])
      .catch((error: unknown) => {
        this.#logger.debug({ err: error }, 'other nodes could not be told of new events')
      })
  }
}

/** For `listen`. */
export function noticeChannel(schema: OutboxSchema): string {
  return `"${channelName(schema)}"`
}

export function topicsOfNotice(payload: string | undefined): number[] {
  return (payload ?? '').split(',').map(Number)
}

/** The schema's name can be as long as a channel's, so its key stands for it. */
function channelName({ lockKey }: OutboxSchema): string {
  return `topic_destination_${lockKey}`
}
