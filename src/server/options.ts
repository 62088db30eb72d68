import { TopicDestinationError } from '../errors.ts'
import { areTrustedProxies } from './http/trusted-proxies.ts'

interface TextVariable {
  readonly name: string
  readonly kind: 'text'
  readonly default?: string
  readonly allowed?: readonly string[]
  /** What must be true of a value, and in words. */
  readonly form?: { readonly isRight: (text: string) => boolean; readonly words: string }
  readonly secret?: true
  readonly doc: string
}
interface IntegerVariable {
  readonly name: string
  readonly kind: 'integer'
  readonly default: number
  readonly minimum: number
  readonly maximum: number
  readonly doc: string
}
interface BooleanVariable {
  readonly name: string
  readonly kind: 'boolean'
  readonly default: boolean
  readonly doc: string
}
/** One environment variable of `npm start`. An empty value is the same as none. */
export type ServerVariable = TextVariable | IntegerVariable | BooleanVariable

/** What `npm start` is set up with; the table below says what each setting means. */
export interface ServerSettings {
  readonly host: string
  readonly port: number
  readonly baseUrl: string | undefined
  readonly databaseUrl: string | undefined
  readonly databasePoolSize: number
  readonly kafkaBootstrapServers: string | undefined
  readonly authToken: string | undefined
  readonly basicAuth: string | undefined
  readonly correlationHeader: string
  readonly bodyLimitBytes: number
  readonly trustedProxies: string
  readonly stopTimeoutMs: number
  readonly outboxSchema: string
  readonly vaultConfigPath: string | undefined
  readonly secretCheckIntervalMs: number
  readonly allowedBootstrapServers: string | undefined
  readonly plainSecrets: 'mask' | 'echo'
  readonly allowedTokenEndpoints: string | undefined
  readonly criteriaElementCheck: 'error' | 'warn'
  readonly strictAidbox: boolean
  readonly cloudEventsHeaders: boolean
  readonly transactionalIdPrefix: string
  readonly deliveredRetentionMs: number
  readonly console: boolean
  readonly metrics: boolean
  readonly metricsToken: string | undefined
  readonly topologyFile: string | undefined
  readonly topologyEnvironment: string | undefined
  readonly logLevel: string
}

/** Every setting of the reference server: checks, defaults and README's table come from here. */
const variables = {
  host: {
    name: 'HOST',
    kind: 'text',
    default: '127.0.0.1',
    doc: 'Address to listen on. Any but a loopback address needs AUTH_TOKEN or BASIC_AUTH.',
  },
  port: {
    name: 'PORT',
    kind: 'integer',
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    doc: 'Port to listen on; 0 takes a free one.',
  },
  baseUrl: {
    name: 'BASE_URL',
    kind: 'text',
    doc: 'URL of /fhir as clients see it, for Location and fullUrl. Default: the address listened on.',
  },
  databaseUrl: {
    name: 'DATABASE_URL',
    kind: 'text',
    secret: true,
    doc: 'PostgreSQL connection string. Default: a PostgreSQL of its own, removed at the end.',
  },
  databasePoolSize: {
    name: 'DATABASE_POOL_SIZE',
    kind: 'integer',
    default: 20,
    minimum: 2,
    maximum: 1000,
    doc: 'Most database connections of the FHIR server; delivery has a few of its own.',
  },
  kafkaBootstrapServers: {
    name: 'KAFKA_BOOTSTRAP_SERVERS',
    kind: 'text',
    doc: "Kafka to try things out on. Default: librdkafka's mock cluster, in memory. Destinations name their own brokers.",
  },
  authToken: {
    name: 'AUTH_TOKEN',
    kind: 'text',
    secret: true,
    doc: 'Accepted as bearer token.',
  },
  basicAuth: {
    name: 'BASIC_AUTH',
    kind: 'text',
    secret: true,
    doc: '`user:password` accepted by basic authentication.',
  },
  correlationHeader: {
    name: 'CORRELATION_HEADER',
    kind: 'text',
    default: 'x-topic-correlation-id',
    doc: 'Request header whose value becomes the correlation id of the events of the request.',
  },
  bodyLimitBytes: {
    name: 'BODY_LIMIT_BYTES',
    kind: 'integer',
    default: 50 * 1024 * 1024,
    minimum: 1024,
    maximum: 1024 ** 3 / 2,
    doc: 'Largest request body in bytes, after decompression; a larger one answers 413.',
  },
  trustedProxies: {
    name: 'TRUSTED_PROXIES',
    kind: 'text',
    default: 'loopback',
    form: {
      isRight: areTrustedProxies,
      words: 'IP addresses and networks such as 10.0.0.0/8, separated by commas',
    },
    doc: 'Proxies whose X-Forwarded-* headers are believed: IP addresses and networks, separated by commas: `10.0.0.0/8,::1`; `loopback`, `linklocal` and `uniquelocal` are networks, too.',
  },
  stopTimeoutMs: {
    name: 'STOP_TIMEOUT_MS',
    kind: 'integer',
    default: 10_000,
    minimum: 0,
    maximum: 3_600_000,
    doc: 'Time that SIGTERM and SIGINT give to requests and to delivery each, in milliseconds.',
  },
  outboxSchema: {
    name: 'OUTBOX_SCHEMA',
    kind: 'text',
    default: 'topic_destination',
    doc: 'PostgreSQL schema of the outbox.',
  },
  vaultConfigPath: {
    name: 'VAULT_CONFIG',
    kind: 'text',
    doc: 'Vault configuration file for secret references.',
  },
  secretCheckIntervalMs: {
    name: 'SECRET_CHECK_INTERVAL_MS',
    kind: 'integer',
    default: 1000,
    minimum: 50,
    maximum: 3_600_000,
    doc: 'How often the files of secrets are looked at, in milliseconds.',
  },
  allowedBootstrapServers: {
    name: 'ALLOWED_BOOTSTRAP_SERVERS',
    kind: 'text',
    doc: 'Kafka servers that destinations may name, separated by commas: `kafka.example.org:9092,*.kafka.example.org:*`. Default: every one.',
  },
  plainSecrets: {
    name: 'PLAIN_SECRETS',
    kind: 'text',
    default: 'mask',
    allowed: ['mask', 'echo'],
    doc: 'What reads answer for a secret that stands in the resource itself: `mask` or `echo`.',
  },
  allowedTokenEndpoints: {
    name: 'ALLOWED_TOKEN_ENDPOINTS',
    kind: 'text',
    doc: 'Token endpoints that destinations with OAUTHBEARER may name, separated by commas: URLs, of which each allows itself and what is below its path. Default: none.',
  },
  criteriaElementCheck: {
    name: 'CRITERIA_ELEMENT_CHECK',
    kind: 'text',
    default: 'error',
    allowed: ['error', 'warn'],
    doc: 'What becomes of a topic whose criteria names an element that FHIR R4 does not know: `error` or `warn`.',
  },
  strictAidbox: {
    name: 'STRICT_AIDBOX',
    kind: 'boolean',
    default: false,
    doc: 'Whether PUT and PATCH of a destination answer 405, as in Aidbox.',
  },
  cloudEventsHeaders: {
    name: 'CLOUD_EVENTS_HEADERS',
    kind: 'boolean',
    default: true,
    doc: 'Whether Kafka records carry CloudEvents headers.',
  },
  transactionalIdPrefix: {
    name: 'TRANSACTIONAL_ID_PREFIX',
    kind: 'text',
    default: 'fhir-topic-destination',
    doc: 'First part of every transactional.id.',
  },
  deliveredRetentionMs: {
    name: 'DELIVERED_RETENTION_MS',
    kind: 'integer',
    default: 0,
    minimum: 0,
    maximum: 31_536_000_000,
    doc: 'How long delivered events are kept for `$replay`, in milliseconds. 0: not at all.',
  },
  console: {
    name: 'CONSOLE',
    kind: 'boolean',
    default: true,
    doc: 'Whether /console serves the console, for whoever may call the FHIR service.',
  },
  metrics: {
    name: 'METRICS',
    kind: 'boolean',
    default: true,
    doc: 'Whether /metrics answers Prometheus, for whoever may call the FHIR service. Needs `prom-client`.',
  },
  metricsToken: {
    name: 'METRICS_TOKEN',
    kind: 'text',
    secret: true,
    doc: 'Accepted as bearer token for /metrics and nothing else.',
  },
  topologyFile: {
    name: 'TOPOLOGY_FILE',
    kind: 'text',
    doc: 'Topology file of the Kafka cluster: `/ready` asks for its health, and with `fhir.enforceCatalogue` destinations are held to it.',
  },
  topologyEnvironment: {
    name: 'TOPOLOGY_ENVIRONMENT',
    kind: 'text',
    doc: 'Environment of the topology file.',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    kind: 'text',
    default: 'info',
    allowed: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    doc: 'Lowest level written to stderr, one JSON object a line.',
  },
} as const satisfies Record<keyof ServerSettings, ServerVariable>

/** The settings in the order of the table, for documentation and tests. */
export const serverVariables: Readonly<Record<keyof ServerSettings, ServerVariable>> = variables

/** Reads the settings of `npm start`.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` naming the variable, never its value when that is secret */
export function readServerSettings(
  environment: Readonly<Record<string, string | undefined>>,
): ServerSettings {
  const entries = Object.entries<ServerVariable>(variables).map(([key, variable]) => [
    key,
    parse(variable, environment[variable.name]),
  ])
  // The table's kinds and ServerSettings' types are compared by a test.
  return Object.fromEntries(entries) as ServerSettings
}

function parse(
  variable: ServerVariable,
  text: string | undefined,
): string | number | boolean | undefined {
  if (text === undefined || text === '') return variable.default
  switch (variable.kind) {
    case 'integer':
      return integer(variable.name, Number(text), variable)
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw invalid(variable.name, `must be true or false, not ${text}`)
    case 'text':
      if (variable.allowed && !variable.allowed.includes(text)) {
        throw invalid(variable.name, `must be one of ${variable.allowed.join(', ')}`)
      }
      return formed(variable.name, text, variable)
  }
}

/** Checks a number of `createServer`'s options against the range in the table.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function checkedInteger(
  setting: 'port' | 'databasePoolSize' | 'bodyLimitBytes',
  value: number,
): number {
  return integer(setting, value, variables[setting])
}

/** Checks a text of `createServer`'s options against the form in the table.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function checkedText(setting: 'trustedProxies', text: string): string {
  return formed(setting, text, variables[setting])
}

function formed(name: string, text: string, { form }: Pick<TextVariable, 'form'>): string {
  if (!form || form.isRight(text)) return text
  throw invalid(name, `must be ${form.words}`)
}

function integer(
  name: string,
  value: number,
  { minimum, maximum }: Pick<IntegerVariable, 'minimum' | 'maximum'>,
): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw invalid(name, `must be a whole number from ${minimum} to ${maximum}`)
}

function invalid(name: string, reason: string): TopicDestinationError {
  return new TopicDestinationError('KTD_INVALID_OPTION', `${name} ${reason}.`)
}
