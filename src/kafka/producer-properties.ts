type Properties = Record<string, string | number | boolean>

/** A missing topic aborts a transaction after this; the next attempt looks again. */
export const transactionPropagationMs = 2000

/** Kafka answers "concurrent transactions" while it still writes the markers of the last commit; 100 ms would be the pace of every page. */
export const pagePaceProperties: Readonly<Properties> = {
  'retry.backoff.ms': 5,
  'retry.backoff.max.ms': 200,
}

/** Of every producer with transactions.
 *  @param timeoutMs after which Kafka aborts a transaction itself */
export function transactionalProperties(transactionalId: string, timeoutMs: number): Properties {
  return {
    'transactional.id': transactionalId,
    'transaction.timeout.ms': timeoutMs,
    // What is sent while the checkpoint is under way need not be waited for by the commit.
    'linger.ms': 0,
    // No delivery.report.only.error: the commit's wait for the records is woken by reports, and else looks every 10 ms.
    dr_cb: true,
  }
}

/** Topic-level properties of every producer.
 *  @param deliveryMs until a record has failed
 *  @param ackMs for the replicas that are in sync */
export function topicProperties(deliveryMs: number, ackMs: number): Properties {
  return {
    acks: 'all',
    // Java's partitioner for keys: events of a resource stay on the partition they have under Aidbox, and records that are tried again on theirs.
    partitioner: 'murmur2_random',
    'message.timeout.ms': deliveryMs,
    'request.timeout.ms': ackMs,
  }
}
