import type { IsServerAllowed } from '../kafka/bootstrap-servers.ts'
import { checkpointPlace } from '../kafka/checkpoint-place.ts'
import { toProducerConfig } from '../kafka/producer-config.ts'
import { createPageProducer } from '../kafka/rdkafka-page-producer.ts'
import { createTransactionalProducer } from '../kafka/rdkafka-transactional-producer.ts'
import type { ResolvedOptions } from '../options.ts'
import type { LaneParts } from './lane-parts.ts'

type Options = Pick<ResolvedOptions, 'transactional' | 'checkpointTopic' | 'logger'>

/** Makes the producers of lanes as the options say.
 *  @param transactionalIdOf a destination with an id; asked when a lane begins */
export function pageProducers(
  options: Options,
  isServerAllowed: IsServerAllowed,
  transactionalIdOf: (id: string) => string,
): LaneParts['createProducer'] {
  const { transactional, checkpointTopic, logger } = options
  return ({ id, parameters, kafkaTopic }, onError) => {
    const name = transactionalIdOf(id)
    const transactionalId = transactional ? name : undefined
    const config = toProducerConfig(parameters, 'at-least-once', transactionalId, isServerAllowed)
    if (!transactional) return createPageProducer(config, logger, { onError })
    const checkpoint = checkpointPlace(name, kafkaTopic, checkpointTopic)
    return createTransactionalProducer(config, logger, { onError, checkpoint })
  }
}
