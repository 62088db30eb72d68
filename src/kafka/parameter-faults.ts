import { jaasFaults } from './jaas-faults.ts'
import { kafkaFeatures } from './kafka-features.ts'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterName,
  type KafkaParameterValues,
} from './parameter-table.ts'
import { tlsFaults } from './tls-faults.ts'

/** One reason why a destination cannot be used. `message` is a sentence without any secret. */
export interface ParameterFault {
  readonly parameter: KafkaParameterName
  readonly message: string
}

const topicName = /^[a-zA-Z0-9._-]{1,249}$/
const hostAndPort = /^(?:\[[0-9a-fA-F:]+\]|[^\s:/[\]@]+):(\d{1,5})$/
/** Values Kafka compares without regard to case. */
const caseInsensitive: ReadonlySet<KafkaParameterName> = new Set(['securityProtocol'])

/** Everything that can be known to be wrong without asking the network. An empty answer means that librdkafka takes the configuration.
 *  @param features what Kafka clients can do here; default: this installation */
export function parameterFaults(
  values: KafkaParameterValues,
  features: readonly string[] = kafkaFeatures(),
): readonly ParameterFault[] {
  return [
    ...tableFaults(values),
    ...topicFaults(values),
    ...bootstrapFaults(values),
    ...compressionFaults(values, features),
    ...timeoutFaults(values),
    ...tlsFaults(values, features),
    ...jaasFaults(values, features),
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

function choiceFault(parameter: KafkaParameterName, value: string | boolean): string | undefined {
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

function bootstrapFaults({ bootstrapServers }: KafkaParameterValues): readonly ParameterFault[] {
  if (bootstrapServers === '') return []
  const isList = bootstrapServers.split(',').every((server) => {
    const port = Number(hostAndPort.exec(server.trim())?.[1] ?? 0)
    return port >= 1 && port <= 65_535
  })
  if (isList) return []
  const message = 'bootstrapServers must be a comma-separated list of host:port.'
  return [{ parameter: 'bootstrapServers', message }]
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
