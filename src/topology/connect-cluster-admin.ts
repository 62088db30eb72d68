import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import type * as Platformatic from '@platformatic/kafka'
import type { ClusterAdmin } from './cluster-admin.ts'
import type { ClusterSection, PrincipalEntry, SaslMechanism } from './document.ts'
import { refuseErrors, TopologyError, type Finding } from './finding.ts'
import type { TopologySource } from './parse-topology.ts'
import { PlatformaticAdmin } from './platformatic-admin.ts'
import { principalSecret } from './principal-secret.ts'
import { variablesOf } from './resolve-topology.ts'
import { substituteAll } from './variables.ts'

export interface ConnectOptions {
  readonly environment?: string | undefined
  /** Values of `${VARIABLES}` and of secrets; default: of the process. */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** Name, in the file, of the principal to connect as. Default: `admin`. */
  readonly principal?: string | undefined
  /** Brokers instead of those of the file. */
  readonly bootstrapServers?: string | undefined
  /** Vault configuration, with the scope `{"resource_type": "KafkaTopology"}` for secrets of topologies. */
  readonly vaultConfigPath?: string | undefined
}

/** A connection to the cluster of a document. It is made with the first call.
 *  @throws {@link TopologyError} when the file does not say how, a secret cannot be read, or @platformatic/kafka is not installed */
export async function connectClusterAdmin(
  source: TopologySource,
  options: ConnectOptions = {},
): Promise<ClusterAdmin> {
  const login = clusterLogin(source, options)
  return new PlatformaticAdmin(await loadClient(), {
    clientId: 'fhir-kafka',
    retries: 3,
    retryDelay: 200,
    ...login,
  })
}

/** Where a cluster is, and as whom to log in. Holds secrets in clear: never log it. */
export interface ClusterLogin {
  readonly bootstrapBrokers: string[]
  /** Absent: without TLS. */
  readonly tls?: { readonly ca?: string }
  readonly tlsServerName?: boolean
  /** Absent: without a login. */
  readonly sasl?: {
    readonly mechanism: SaslMechanism
    readonly username: string
    readonly password: string
  }
}

/** What a document and its secrets say about the connection to its cluster.
 *  @throws {@link TopologyError} when the file does not say how, or a secret cannot be read */
export function clusterLogin(
  source: TopologySource,
  { environment, variables = process.env, ...options }: ConnectOptions = {},
): ClusterLogin {
  const { document } = source
  const findings: Finding[] = []
  const { cluster, principals = {} } = substituteAll(
    {
      // Brokers that are given need no variable.
      cluster: { ...document.cluster, ...definedBrokers(options.bootstrapServers) },
      principals: document.principals,
    },
    [],
    variablesOf(document.environments?.[environment ?? ''], variables),
    (finding) => findings.push(finding),
  )
  refuseErrors(findings.map((finding) => source.locate(finding)))
  const name = options.principal ?? 'admin'
  const entry = Object.hasOwn(principals, name) ? principals[name] : undefined
  if (options.principal !== undefined && !entry) {
    throw new TopologyError(`There is no principal "${name}" in the file; add it to principals.`)
  }
  const brokers = brokersOf(cluster)
  return {
    bootstrapBrokers: brokers,
    ...tls(cluster, brokers, source.file),
    ...sasl(cluster, name, entry, (secretRef) =>
      principalSecret(secretRef, {
        topologyName: document.metadata.name,
        variables,
        vaultConfigPath: options.vaultConfigPath,
      }),
    ),
  }
}

function definedBrokers(bootstrapServers: string | undefined): Partial<ClusterSection> {
  return bootstrapServers === undefined ? {} : { bootstrapServers }
}

function brokersOf({ bootstrapServers = '' }: ClusterSection): string[] {
  const brokers = bootstrapServers.split(',').map((broker) => broker.trim())
  if (brokers.some((broker) => broker === '')) {
    throw new TopologyError(
      'The file does not say where the cluster is; set cluster.bootstrapServers, or give --bootstrap-servers.',
    )
  }
  return brokers
}

function tls(
  { securityProtocol, truststore }: ClusterSection,
  brokers: readonly string[],
  file: string,
): Pick<ClusterLogin, 'tls' | 'tlsServerName'> {
  if (!securityProtocol?.endsWith('SSL')) return {}
  // Brokers behind one address are told apart by the name that is asked for; an address is no name.
  const tlsServerName = !brokers.every((broker) => isIP(broker.replace(/:\d+$/, '')) !== 0)
  if (truststore === undefined) return { tls: {}, tlsServerName }
  const path = resolve(dirname(file), truststore)
  try {
    return { tls: { ca: readFileSync(path, 'utf8') }, tlsServerName }
  } catch (error) {
    throw new TopologyError(`cluster.truststore cannot be read: ${path}.`, { cause: error })
  }
}

function sasl(
  { securityProtocol, saslMechanism }: ClusterSection,
  name: string,
  entry: PrincipalEntry | undefined,
  secret: (secretRef: string) => string,
): Pick<ClusterLogin, 'sasl'> {
  if (!securityProtocol?.startsWith('SASL')) return {}
  if (saslMechanism === undefined) {
    throw new TopologyError(`${securityProtocol} needs cluster.saslMechanism.`)
  }
  if (entry?.secretRef === undefined) {
    throw new TopologyError(
      `Nobody to connect as: principals needs "${name}" with a secretRef; --principal names another one.`,
    )
  }
  const username = entry.user.replace(/^User:/, '')
  return { sasl: { mechanism: saslMechanism, username, password: secret(entry.secretRef) } }
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
