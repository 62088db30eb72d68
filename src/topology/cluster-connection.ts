import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type {
  ClusterSection,
  Named,
  PrincipalEntry,
  SaslMechanism,
  SecurityProtocol,
} from './document.ts'
import { refuseErrors, TopologyError, type Finding } from './finding.ts'
import type { TopologySource } from './parse-topology.ts'
import { principalSecret } from './principal-secret.ts'
import { variablesOf } from './resolve-topology.ts'
import { substituteAll } from './variables.ts'

export interface ClusterOptions {
  readonly environment?: string | undefined
  /** Values of `${VARIABLES}` and of secrets; default: of the process. */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** Brokers instead of those of the file. */
  readonly bootstrapServers?: string | undefined
  /** Vault configuration, with the scope `{"resource_type": "KafkaTopology"}` for secrets of topologies. */
  readonly vaultConfigPath?: string | undefined
}

export interface ConnectOptions extends ClusterOptions {
  /** Name, in the file, of the principal to connect as. Default: `admin`. */
  readonly principal?: string | undefined
}

/** How a principal logs in. Holds its password in clear: never log it. */
export interface ClusterLogin {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: string
}

/** How the cluster of a document is reached. */
export interface ClusterConnection {
  /** `host:port` each, one at least. */
  readonly brokers: readonly string[]
  readonly securityProtocol: SecurityProtocol
  /** Certificates in PEM form that brokers are trusted by; undefined: those of the system. */
  readonly truststore: string | undefined
  /** Whether a principal logs in. */
  readonly usesLogin: boolean
  /** Reads the secret of a principal of the document anew.
   *  @throws {@link TopologyError} when it is not there or has no secret; of the vault `KTD_SECRET` */
  readonly login: (principal: string) => ClusterLogin
}

/** What the section `cluster` and the principals of a document say about connections.
 *  @throws {@link TopologyError} when the file does not say how */
export function clusterConnection(
  source: TopologySource,
  { environment, variables = process.env, bootstrapServers, vaultConfigPath }: ClusterOptions = {},
): ClusterConnection {
  const { document, file } = source
  const findings: Finding[] = []
  const { cluster, principals = {} } = substituteAll(
    {
      cluster: {
        ...document.cluster,
        // Brokers that are given need no variable.
        ...(bootstrapServers === undefined ? {} : { bootstrapServers }),
      },
      principals: document.principals,
    },
    [],
    variablesOf(document.environments?.[environment ?? ''], variables),
    (finding) => findings.push(finding),
  )
  refuseErrors(findings.map((finding) => source.locate(finding)))
  const { securityProtocol = 'PLAINTEXT' } = cluster
  return {
    brokers: brokersOf(cluster),
    securityProtocol,
    truststore: truststoreOf(cluster, file),
    usesLogin: securityProtocol.startsWith('SASL'),
    login: (principal) =>
      loginOf(cluster, principal, principals, (secretRef) =>
        principalSecret(secretRef, {
          topologyName: document.metadata.name,
          variables,
          vaultConfigPath,
        }),
      ),
  }
}

/** The login of who connects; undefined where nobody logs in.
 *  @throws {@link TopologyError} when the file does not know the principal; as {@link ClusterConnection.login} */
export function loginAs(
  principal: string | undefined,
  connection: ClusterConnection,
  { document }: TopologySource,
): ClusterLogin | undefined {
  if (principal !== undefined && !Object.hasOwn(document.principals ?? {}, principal)) {
    throw new TopologyError(
      `There is no principal "${principal}" in the file; add it to principals.`,
    )
  }
  return connection.usesLogin ? connection.login(principal ?? 'admin') : undefined
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

function truststoreOf(
  { securityProtocol, truststore }: ClusterSection,
  file: string,
): string | undefined {
  if (truststore === undefined || !securityProtocol?.endsWith('SSL')) return undefined
  const path = resolve(dirname(file), truststore)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new TopologyError(`cluster.truststore cannot be read: ${path}.`, { cause: error })
  }
}

function loginOf(
  { securityProtocol, saslMechanism }: ClusterSection,
  name: string,
  principals: Named<PrincipalEntry>,
  secret: (secretRef: string) => string,
): ClusterLogin {
  if (saslMechanism === undefined) {
    throw new TopologyError(`${securityProtocol} needs cluster.saslMechanism.`)
  }
  const entry = Object.hasOwn(principals, name) ? principals[name] : undefined
  if (entry?.secretRef === undefined) {
    throw new TopologyError(
      `Nobody to connect as: principals needs "${name}" with a secretRef; --principal names another one.`,
    )
  }
  const username = entry.user.replace(/^User:/, '')
  return { mechanism: saslMechanism, username, password: secret(entry.secretRef) }
}
