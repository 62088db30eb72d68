import { kafkaFeatures } from './kafka-features.ts'
import { kafkaParameters } from './parameter-table.ts'
import { rdkafka } from './rdkafka-binding.ts'
import { loginModuleOf, saslMechanisms } from './sasl/login-modules.ts'

/** What destinations can ask of this installation: it depends on the libraries that were there when node-rdkafka was built, and on the optional
 *  packages. A few sentences for whoever writes a destination. */
export function kafkaClientDescription(features: readonly string[] = kafkaFeatures()): string {
  const codecs = available(kafkaParameters.compressionType.allowedValues ?? [], (codec) =>
    codec === 'none' ? true : features.includes(codec),
  )
  const mechanisms = available(
    saslMechanisms,
    (mechanism) => loginModuleOf(mechanism)?.missing(features) === undefined,
  )
  const tls = features.includes('ssl') ? 'with TLS' : 'without TLS'
  return `Kafka client: librdkafka ${rdkafka.librdkafkaVersion}, ${tls}. compressionType: ${codecs}. saslMechanism: ${mechanisms}.`
}

function available(names: readonly string[], isThere: (name: string) => boolean): string {
  const there = names.filter(isThere)
  const lacking = names.filter((name) => !isThere(name))
  return lacking.length === 0
    ? there.join(', ')
    : `${there.join(', ')}; not in this installation: ${lacking.join(', ')}`
}
