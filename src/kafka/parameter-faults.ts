import {
  bootstrapServers,
  everyServer,
  writtenProtocols,
  type IsServerAllowed,
} from './bootstrap-servers.ts'
import { jaasFaults } from './jaas-faults.ts'
import { kafkaFeatures } from './kafka-features.ts'
import type { ParameterFault } from './parameter-fault.ts'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterName,
  type KafkaParameterValues,
} from './parameter-table.ts'
import { tlsFaults } from './tls-faults.ts'

const topicName = /^[a-zA-Z0-9._-]{1,249}$/
/** librdkafka has a thread for each. */
const maxBootstrapServers = 100
/** Values Kafka compares without regard to case. */
const caseInsensitive: ReadonlySet<KafkaParameterName> = new Set(['securityProtocol'])

/** Everything that can be known to be wrong without asking the network. An empty answer means that librdkafka takes the configuration.
 *  @param features what Kafka clients can do here; default: this installation
 *  @param isAllowed which servers this installation lets destinations name; default: every one */
export function parameterFaults(
  values: KafkaParameterValues,
  features: readonly string[] = kafkaFeatures(),
  isAllowed: IsServerAllowed = everyServer,
): readonly ParameterFault[] {
  return [
    ...tableFaults(values),
    ...topicFaults(values),
    ...bootstrapFaults(values, isAllowed),
    ...compressionFaults(values, features),
    ...timeoutFaults(values),
    ...tlsFaults(values, features),
    ...jaasFaults(values, { features, isServerAllowed: isAllowed }),
  ]
}

function tableFaults(values: KafkaParameterValues): readonly ParameterFault[] {
  return kafkaParameterNames.flatMap((parameter) => {
    const value = values[parameter]
    const { required, secret } = kafkaParameters[parameter]
    if (value === undefined || value === '') {
      if (value === '' && secret) return [{ parameter, message: `${parameter} is empty.` }]
      return required ? [{ parameter, message: `${parameter} is missing.` }] : []
    }
    const message =
      typeof value === 'number' ? rangeFault(parameter, value) : choiceFault(parameter, value)
    return message === undefined ? [] : [{ parameter, message }]
  })
}

function rangeFault(parameter: KafkaParameterName, value: number): string | undefined {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = kafkaParameters[parameter]
  if (Number.isInteger(value) && value >= min && value <= max) return undefined
  return `${parameter} must be a whole number from ${min} to ${max}.`
}

function choiceFault(parameter: KafkaParameterName, value: unknown): string | undefined {
  const { allowedValues } = kafkaParameters[parameter]
  if (!allowedValues || typeof value !== 'string') return undefined
  const wanted = caseInsensitive.has(parameter) ? value.toUpperCase() : value
  if (allowedValues.includes(wanted)) return undefined
  return `${parameter} must be one of ${allowedValues.join(', ')}.`
}

function topicFaults({ kafkaTopic }: KafkaParameterValues): readonly ParameterFault[] {
  if (kafkaTopic === '') return []
  const isName = topicName.test(kafkaTopic) && kafkaTopic !== '.' && kafkaTopic !== '..'
  if (isName) return []
  const message =
    'kafkaTopic must be 1 to 249 characters out of letters, digits, ".", "_" and "-", and not "." or "..".'
  return [{ parameter: 'kafkaTopic', message }]
}

function bootstrapFaults(
  values: KafkaParameterValues,
  isAllowed: IsServerAllowed,
): readonly ParameterFault[] {
  const parameter = 'bootstrapServers'
  if (values.bootstrapServers === '') return []
  const servers = bootstrapServers(values.bootstrapServers)
  if (!servers) {
    return [{ parameter, message: 'bootstrapServers must be a comma-separated list of host:port.' }]
  }
  if (servers.length > maxBootstrapServers) {
    const message = `bootstrapServers must name at most ${maxBootstrapServers} servers.`
    return [{ parameter, message }]
  }
  const { securityProtocol = 'PLAINTEXT' } = values
  const another = writtenProtocols(values.bootstrapServers).find(
    (protocol) => protocol !== securityProtocol.toUpperCase(),
  )
  if (another !== undefined) {
    const message = `bootstrapServers says ${another}://, but securityProtocol is ${securityProtocol}; write the same, or host:port alone.`
    return [{ parameter, message }]
  }
  const refused = servers.find((server) => !isAllowed(server))
  if (!refused) return []
  const message = `bootstrapServers names ${refused.host}:${refused.port}, which is not among the Kafka servers that this server allows (allowedBootstrapServers).`
  return [{ parameter, message }]
}

function compressionFaults(
  { compressionType }: KafkaParameterValues,
  features: readonly string[],
): readonly ParameterFault[] {
  const needed =
    compressionType === 'zstd' || compressionType === 'gzip' ? compressionType : undefined
  if (needed === undefined || features.includes(needed)) return []
  const library = needed === 'zstd' ? 'libzstd-dev' : 'zlib1g-dev'
  const message = `compressionType ${needed} is not in this build of node-rdkafka; install ${library} and rebuild it, or use lz4.`
  return [{ parameter: 'compressionType', message }]
}

/** Java's rule, as far as both values are given. */
function timeoutFaults({
  deliveryTimeoutMs,
  requestTimeoutMs,
}: KafkaParameterValues): readonly ParameterFault[] {
  if (deliveryTimeoutMs === undefined || requestTimeoutMs === undefined) return []
  if (deliveryTimeoutMs >= requestTimeoutMs) return []
  const message = 'deliveryTimeoutMs must not be smaller than requestTimeoutMs.'
  return [{ parameter: 'deliveryTimeoutMs', message }]
}
