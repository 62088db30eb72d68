import { clusterConnection, loginAs, type ConnectOptions } from '../topology/cluster-connection.ts'
import type { TopologySource } from '../topology/parse-topology.ts'
import type { KafkaConnection } from './retry-settings.ts'

/** librdkafka's properties of the connection that a document and its secrets describe.
 *  @throws {@link TopologyError} when the file does not say how, or a secret cannot be read */
export function kafkaConnection(
  source: TopologySource,
  { principal, ...options }: ConnectOptions = {},
): KafkaConnection {
  const connection = clusterConnection(source, options)
  const { brokers, securityProtocol, truststore } = connection
  const login = loginAs(principal, connection, source)
  return {
    'bootstrap.servers': brokers.join(','),
    'security.protocol': securityProtocol,
    ...(truststore === undefined ? {} : { 'ssl.ca.pem': truststore }),
    ...(login && {
      'sasl.mechanism': login.mechanism,
      'sasl.username': login.username,
      'sasl.password': login.password,
    }),
  }
}
