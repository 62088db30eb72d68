import type pg from 'pg'
import { TopicDestinationError } from './errors.ts'
import { allowedPlaces } from './kafka/allowed-places.ts'
import { logLevels, silentLogger, type Logger, type LogLevel } from './observability/logger.ts'
import { moduleLogger } from './observability/module-logger.ts'
import { checkMetricsOptions } from './observability/metrics-options.ts'
import type { MetricsOptions } from './observability/module-metrics.ts'
import { checkChoice, checkRanges } from './option-checks.ts'
import type { TopologyFile } from './topology/catalogue.ts'
import type { ResolvedTopology } from './topology/resolved-topology.ts'

/** What `kafkaTopicDestination` takes. `database` and `baseUrl` are required. */
export interface ModuleOptions {
  /** PostgreSQL database that the host writes to: connection string or pg configuration. The module keeps a pool of its own. */
  readonly database: string | pg.PoolConfig
  /** Base URL under which clients reach the FHIR server, for `fullUrl`, `request.url` and `ce_source`: `https://fhir.example.org/fhir`. */
  readonly baseUrl: string
  /** PostgreSQL schema of the outbox. One schema is one installation.
   *  @default 'topic_destination' */
  readonly schema?: string
  /** Where the module logs: pino-shaped, never given resource content or secrets.
   *  @default silent */
  readonly logger?: Logger
  /** Lowest level of the log lines about single destinations, by reference: `{ '*': 'warn', 'AidboxTopicDestination/x': 'debug' }`. `*` is for all others,
   *  `silent` for none; the logger's own level holds as well. Of their delivery log `enableLogging` and `logLevel` decide.
   *  Absent: every level. */
  readonly logLevels?: Readonly<Record<string, LogLevel | 'silent'>>
  /** Metrics into the host's registry: `{ registry, labels, maxDestinations }`, where `registry` is prom-client's `Registry` or one of its shape, `labels` stand
   *  at every series, and only the oldest `maxDestinations` (1000) have series of their own. Absent: none. */
  readonly metrics?: MetricsOptions
  /** Vault configuration file for secret references; absent: references are refused when a destination is written. */
  readonly vaultConfigPath?: string
  /** How often the files of secrets are looked at, in milliseconds; never more than three times in `registryLeaseMs`. A destination whose secret has
   *  changed gets a new connection, which loses nothing and needs no restart.
   *  @default 1000  Minimum 50. */
  readonly secretCheckIntervalMs?: number
  /** Kafka servers that destinations may name as bootstrapServers: `kafka.example.org:9092`, `*.kafka.example.org:9092` for every host below that
   *  domain, `*` for any host or any port. A destination that names another one is refused, and a stored one is not served. It does not bound where
   *  the brokers of an allowed cluster say that the others are. Absent: every server. */
  readonly allowedBootstrapServers?: readonly string[]
  /** What reads answer for a secret that stands in the resource itself: `mask` (data-absent-reason) or `echo` (as stored).
   *  @default 'mask' */
  readonly plainSecrets?: 'mask' | 'echo'
  /** Token endpoints that destinations with OAUTHBEARER may name: URLs, of which each allows itself and what is below its path. Absent: none, because
   *  this server would send a request to wherever a destination points. With `http:` secrets go there without TLS. */
  readonly allowedTokenEndpoints?: readonly string[]
  /** What becomes of a topic whose criteria names an element that FHIR R4 does not know: `error` refuses it, `warn` stores it; for servers with
   *  elements of their own.
   *  @default 'error' */
  readonly criteriaElementCheck?: 'error' | 'warn'
  /** PUT and PATCH of a destination answer 405, as in Aidbox; to change one it is deleted and created anew.
   *  @default false */
  readonly strictAidbox?: boolean
  /** CloudEvents headers (`ce_*`) on every record, beside content-type, traceparent and correlation id.
   *  @default true */
  readonly cloudEventsHeaders?: boolean
  /** First part of every transactional.id: `<prefix>-<installation>-<destination id>`. Brokers grant rights on it by prefix.
   *  @default 'fhir-topic-destination' */
  readonly transactionalIdPrefix?: string
  /** Each page of an at-least-once destination is one Kafka transaction. false: records are sent without transactions, which is faster and needs
   *  no rights on transactional ids; events under way at a crash come twice, and when a node that hung comes back, an old one
   *  may come again after newer ones.
   *  @default true */
  readonly transactional?: boolean
  /** Every Kafka transaction carries a checkpoint, so that consumers that read committed records see each event once, also after a
   *  crash. Needs Read on the consumer group `<prefix>-<installation>-<destination id>` and on the Kafka topic; without that right delivery
   *  goes on and `$status` says so. false: events under way at a crash come twice.
   *  @default true */
  readonly checkpoint?: boolean
  /** Kafka topic on which the offsets of checkpoints stand; absent: the destination's own topic. With one the Kafka principal needs no Read on
   *  topics with patient data, and a destination may change its Kafka topic at a crash without sending twice. Create it on every cluster,
   *  with one partition; nothing is ever written to it. */
  readonly checkpointTopic?: string
  /** Topology of the Kafka cluster, as a file with its environment or as `resolveTopology` has made it. Where it says `fhir.enforceCatalogue`, a destination
   *  whose kafkaTopic it does not declare for FHIR destinations is refused when it is written; one that is stored already is served, with a warning in
   *  the log. */
  readonly topology?: TopologyFile | ResolvedTopology
  /** Whether a destination is looked at by connecting to Kafka when it is written, beside what a write with `_preflight=true` asks for: `off`;
   *  `warn` logs what it finds, and the write does not wait for it; `require` refuses the write with 422.
   *  @default 'off' */
  readonly preflight?: 'off' | 'warn' | 'require'
  /** Most time that one preflight takes, in milliseconds; it then answers with what it knows.
   *  @default 10000  Minimum 1000. */
  readonly preflightTimeoutMs?: number
  /** What happens to an event that Kafka can never take, because it is too large: `set-aside` as a dead letter, with its number, while its neighbours
   *  go on; or `wait`, it and everything behind it, until maxRequestSize or the topic's limit is raised.
   *  @default 'set-aside' */
  readonly undeliverable?: 'set-aside' | 'wait'
  /** Most events of one topic (and organization) that are kept while nobody can decide whether its criteria selects them. Further ones are only
   *  counted, as `messagesNotKept`, and the log says so; nodes that write at the same time may keep some more.
   *  @default 10000  Minimum 0, maximum 1000000. */
  readonly maxUndecidedPerTopic?: number
  /** For so long after its delivery an event can be sent again by `$replay`, in milliseconds; the same on all nodes. What that costs is said by
   *  `deliveredRetention`. 0: nothing is kept. While nodes differ, the longest time holds, and what one with 0 delivers is not recorded.
   *  @default 0  Maximum 31536000000, a year. */
  readonly deliveredRetentionMs?: number
  /** What is kept of delivered events: `events` stay in the outbox with their content; of `references` only the number and which version of which
   *  resource it was, about 100 bytes, and `$replay` reads the content from the host's history.
   *  @default 'events' */
  readonly deliveredRetention?: 'events' | 'references'
  /** Most events a second that a `$redrive` or `$replay` sends, and most resources that a `$backfill` looks at, where the call does not say it.
   *  @default 1000  Minimum 1, maximum 100000. */
  readonly jobMaxPerSecond?: number
  /** Largest age of this node's view of topics and destinations, in milliseconds. Creating, changing or deleting one answers
   *  only after this time, so that every later write is matched on every node. The same on all nodes.
   *  @default 500  Minimum 50. */
  readonly registryLeaseMs?: number
  /** How a node shows the others that it is there: by a `session` of its own, whose end they see at once, or by a `lease` in a row, which runs out
   *  ten seconds after its last sign of life. `lease` is for databases behind a pooler in transaction mode; events that another node has
   *  written are then seen after `pollIntervalMs`.
   *  @default 'session' */
  readonly leadership?: 'session' | 'lease'
  /** Longest time a lane or a standby node waits without a signal before it looks again, in milliseconds.
   *  @default 250  Minimum 10. */
  readonly pollIntervalMs?: number
  /** After this time without events an at-least-once destination closes its connections to Kafka, in milliseconds. The next event opens
   *  them again, which takes about a tenth of a second.
   *  @default 60000  Minimum 1000. */
  readonly idleProducerMs?: number
  /** Shortest time between two Kafka transactions of one destination while pages come small, in milliseconds; up to four times of
   *  it where transactions take long. An event that arrives when the lane is idle never waits for it. With `transactional: false` the default
   *  is 5: a small page costs little there.
   *  @default 10  0 switches it off. */
  readonly pageLingerMs?: number
  /** Most events in one Kafka transaction.
   *  @default 1000  Minimum 1, maximum 100000. */
  readonly maxPageEvents?: number
  /** Most bytes of resources in one Kafka transaction; a single larger event goes alone.
   *  @default 8388608 */
  readonly maxPageBytes?: number
  /** Most changes that one `$dry-run` of a topic looks at.
   *  @default 10000  Minimum 1, maximum 10000000. */
  readonly dryRunMaxChanges?: number
  /** Most time that one `$dry-run` takes, in milliseconds.
   *  @default 10000  Minimum 1. */
  readonly dryRunTimeoutMs?: number
  /** Most changes that one `$dry-run` names, of those that fire and of those that are undecided.
   *  @default 100  Maximum 10000. */
  readonly dryRunMaxSamples?: number
  /** Time that `stop()` gives running transactions and best-effort records, in milliseconds. What is left of best effort is counted as lost.
   *  @default 10000 */
  readonly stopTimeoutMs?: number
}

type Undefaulted =
  | 'database'
  | 'baseUrl'
  | 'vaultConfigPath'
  | 'allowedBootstrapServers'
  | 'checkpointTopic'
  | 'allowedTokenEndpoints'
  | 'metrics'
  | 'topology'
type Defaulted = Omit<ModuleOptions, Undefaulted>
export type ResolvedOptions = Required<Defaulted> & Pick<ModuleOptions, Undefaulted>

const defaults: Required<Defaulted> = {
  schema: 'topic_destination',
  logger: silentLogger,
  logLevels: {},
  secretCheckIntervalMs: 1000,
  plainSecrets: 'mask',
  criteriaElementCheck: 'error',
  strictAidbox: false,
  cloudEventsHeaders: true,
  transactionalIdPrefix: 'fhir-topic-destination',
  transactional: true,
  checkpoint: true,
  preflight: 'off',
  preflightTimeoutMs: 10_000,
  undeliverable: 'set-aside',
  maxUndecidedPerTopic: 10_000,
  deliveredRetentionMs: 0,
  deliveredRetention: 'events',
  jobMaxPerSecond: 1000,
  registryLeaseMs: 500,
  leadership: 'session',
  pollIntervalMs: 250,
  idleProducerMs: 60_000,
  pageLingerMs: 10,
  maxPageEvents: 1000,
  maxPageBytes: 8 * 1024 * 1024,
  dryRunMaxChanges: 10_000,
  dryRunTimeoutMs: 10_000,
  dryRunMaxSamples: 100,
  stopTimeoutMs: 10_000,
}

/** `pageLingerMs` without transactions. */
const plainPageLingerMs = 5

const ranges = {
  secretCheckIntervalMs: [50, 3_600_000],
  preflightTimeoutMs: [1000, 60_000],
  maxUndecidedPerTopic: [0, 1_000_000],
  deliveredRetentionMs: [0, 31_536_000_000],
  jobMaxPerSecond: [1, 100_000],
  registryLeaseMs: [50, 60_000],
  pollIntervalMs: [10, 60_000],
  idleProducerMs: [1000, 86_400_000],
  pageLingerMs: [0, 1000],
  maxPageEvents: [1, 100_000],
  maxPageBytes: [1024, 1024 ** 3],
  dryRunMaxChanges: [1, 10_000_000],
  dryRunTimeoutMs: [1, 600_000],
  dryRunMaxSamples: [0, 10_000],
  stopTimeoutMs: [0, 3_600_000],
} as const

const choices = {
  plainSecrets: ['mask', 'echo'],
  criteriaElementCheck: ['error', 'warn'],
  strictAidbox: [true, false],
  cloudEventsHeaders: [true, false],
  transactional: [true, false],
  checkpoint: [true, false],
  preflight: ['off', 'warn', 'require'],
  undeliverable: ['set-aside', 'wait'],
  deliveredRetention: ['events', 'references'],
  leadership: ['session', 'lease'],
} as const satisfies { [Name in keyof Defaulted]?: readonly Required<Defaulted>[Name][] }

/** Fills in the defaults.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION` naming the option */
export function resolveOptions(options: ModuleOptions): ResolvedOptions {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const resolved: ResolvedOptions = {
    ...defaults,
    ...(options.transactional === false ? { pageLingerMs: plainPageLingerMs } : {}),
    ...given,
    logger: moduleLogger(options.logger ?? silentLogger, options.logLevels),
    database: options.database,
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
  }
  if (!URL.canParse(resolved.baseUrl)) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'baseUrl must be an absolute URL, such as https://fhir.example.org/fhir.',
    )
  }
  checkRanges(resolved, ranges)
  checkChoices(resolved)
  allowedPlaces(resolved)
  checkLogLevels(resolved.logLevels)
  if (options.metrics) checkMetricsOptions(options.metrics)
  return resolved
}

function checkLogLevels(levels: ResolvedOptions['logLevels']): void {
  for (const [reference, level] of Object.entries(levels)) {
    checkChoice(`logLevels of ${reference}`, level, [...logLevels, 'silent'])
  }
}

function checkChoices(options: ResolvedOptions): void {
  for (const [name, allowed] of Object.entries(choices)) {
    checkChoice(name, options[name as keyof typeof choices], allowed)
  }
}
