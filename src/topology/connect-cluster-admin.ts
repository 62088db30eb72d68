import { isIP } from 'node:net'
import type { AdminOptions } from '@platformatic/kafka'
import type * as Platformatic from '@platformatic/kafka'
import type { ClusterAdmin } from './cluster-admin.ts'
import {
  clusterConnection,
  loginAs,
  type ClusterConnection,
  type ConnectOptions,
} from './cluster-connection.ts'
import { TopologyError } from './finding.ts'
import type { TopologySource } from './parse-topology.ts'
import { PlatformaticAdmin } from './platformatic-admin.ts'

/** A connection to the cluster of a document. It is made with the first call.
 *  @throws {@link TopologyError} when the file does not say how, a secret cannot be read, or @platformatic/kafka is not installed */
export async function connectClusterAdmin(
  source: TopologySource,
  { principal, ...options }: ConnectOptions = {},
): Promise<ClusterAdmin> {
  const connection = clusterConnection(source, options)
  const sasl = loginAs(principal, connection, source)
  return new PlatformaticAdmin(await loadClient(), {
    clientId: 'fhir-kafka',
    bootstrapBrokers: [...connection.brokers],
    retries: 3,
    retryDelay: 200,
    ...tls(connection),
    ...(sasl && { sasl }),
  })
}

function tls({ brokers, securityProtocol, truststore }: ClusterConnection): Partial<AdminOptions> {
  if (!securityProtocol.endsWith('SSL')) return {}
  // Brokers behind one address are told apart by the name that is asked for; an address is no name.
  const tlsServerName = !brokers.every((broker) => isIP(broker.replace(/:\d+$/, '')) !== 0)
  return { tls: truststore === undefined ? {} : { ca: truststore }, tlsServerName }
}

async function loadClient(): Promise<typeof Platformatic> {
  try {
    return await import('@platformatic/kafka')
  } catch (error) {
    throw new TopologyError(
      'Talking to a cluster needs the package @platformatic/kafka; install it: npm install @platformatic/kafka@1.35.0',
      { cause: error },
    )
  }
}
