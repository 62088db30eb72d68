import { clusterLogin, type ConnectOptions } from '../topology/connect-cluster-admin.ts'
import type { TopologySource } from '../topology/parse-topology.ts'
import type { KafkaConnection } from './retry-settings.ts'

/** librdkafka's properties of the connection that a document and its secrets describe.
 *  @throws {@link TopologyError} when the file does not say how, or a secret cannot be read */
export function kafkaConnection(
  source: TopologySource,
  options: ConnectOptions = {},
): KafkaConnection {
  const { bootstrapBrokers, tls, sasl } = clusterLogin(source, options)
  const transport = tls ? 'SSL' : 'PLAINTEXT'
  return {
    'bootstrap.servers': bootstrapBrokers.join(','),
    'security.protocol': sasl ? `SASL_${transport}` : transport,
    ...(tls?.ca === undefined ? {} : { 'ssl.ca.pem': tls.ca }),
    ...(sasl
      ? {
          'sasl.mechanism': sasl.mechanism,
          'sasl.username': sasl.username,
          'sasl.password': sasl.password,
        }
      : {}),
  }
}
