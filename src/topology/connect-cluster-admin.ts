import { isIP } from 'node:net'
import type { AdminOptions } from '@platformatic/kafka'
import type * as Platformatic from '@platformatic/kafka'
import type { ClusterAdmin } from './cluster-admin.ts'
import {
  clusterConnection,
  type ClusterConnection,
  type ClusterOptions,
} from './cluster-connection.ts'
import { TopologyError } from './finding.ts'
import type { TopologySource } from './parse-topology.ts'
import { PlatformaticAdmin } from './platformatic-admin.ts'

export interface ConnectOptions extends ClusterOptions {
  /** Name, in the file, of the principal to connect as. Default: `admin`. */
  readonly principal?: string | undefined
}

/** A connection to the cluster of a document. It is made with the first call.
 *  @throws {@link TopologyError} when the file does not say how, a secret cannot be read, or @platformatic/kafka is not installed */
export async function connectClusterAdmin(
  source: TopologySource,
  { principal, ...options }: ConnectOptions = {},
): Promise<ClusterAdmin> {
  const connection = clusterConnection(source, options)
  if (principal !== undefined && !Object.hasOwn(source.document.principals ?? {}, principal)) {
    throw new TopologyError(
      `There is no principal "${principal}" in the file; add it to principals.`,
    )
  }
  const login = connection.usesLogin ? { sasl: connection.login(principal ?? 'admin') } : {}
  return new PlatformaticAdmin(await loadClient(), {
    clientId: 'fhir-kafka',
    bootstrapBrokers: [...connection.brokers],
    retries: 3,
    retryDelay: 200,
    ...tls(connection),
    ...login,
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
