import type { LogLevel } from './logger.ts'

/** One line of the log. */
export interface LogLine {
  /** `destination`: at the level that its parameter `logLevel` says, when `enableLogging` is true. */
  readonly level: LogLevel | 'destination'
  /** The sentence, as it stands in the code. */
  readonly message: string
  /** What it means, and what to do. Warnings and errors carry it as `action`. */
  readonly action: string
  /** When it comes again for the same destination or topic, with the same cause. `once-a-minute`: with `repeated`, which says how many were
   *  left out. */
  readonly repeats: Repeats
}

type Repeats = 'every' | 'once-a-minute'

const at =
  (level: LogLine['level'], usual: Repeats) =>
  (message: string, action: string, repeats = usual): LogLine => ({
    level,
    message,
    action,
    repeats,
  })
const debug = at('debug', 'every')
const info = at('info', 'every')
const warn = at('warn', 'once-a-minute')
const error = at('error', 'once-a-minute')
const delivery = at('destination', 'every')

const retries = 'It retries by itself.'
const database = `${retries} When it goes on: look at the database and at its connections.`

/** What to do about a line. */
export function actionOf(code: string): string | undefined {
  return logLines[code]?.action
}

/** Every line that the module and the reference server write, by its code, which it carries as `ev`: `topic-destination/<code>`. */
export const logLines: Readonly<Record<string, LogLine>> = {
  leading: info('leading', 'This node delivers the destination from now on.'),
  'not-leading': info(
    'another node leads this destination now, or it is gone',
    'Nothing: after a restart, a lost session or a deletion.',
  ),
  'leadership-lost': debug('leadership was already lost', 'Nothing.'),
  leaving: debug('the other nodes will see later that this one leaves', 'Nothing.'),
  'leadership-failed': warn('cannot take up leadership; will retry', database),
  'watch-failed': warn('cannot look for new events; will retry', database),
  'kafka-refuses': warn(
    'Kafka does not take the events of a destination; will retry',
    `${retries} Do what the cause says (docs/kafka-errors.md); nothing is lost meanwhile.`,
  ),
  'kafka-takes': info(
    'Kafka takes the events of a destination again',
    'Nothing. How often it changes: repeated.',
    'once-a-minute',
  ),
  'kafka-connection': warn(
    'Kafka connection',
    `${retries} Do what the cause says (docs/kafka-errors.md).`,
  ),
  'kafka-connected': debug('connected to Kafka', 'Nothing.'),
  'kafka-not-acknowledged': debug(
    'records of a page were not acknowledged',
    'Nothing: what follows from it has a line of its own.',
  ),
  'kafka-abort-refused': debug(
    'the abort was refused, the producer is dead',
    'Nothing: a new producer is made.',
  ),
  'page-failed': warn('a page could not be read, made or acknowledged; will retry', database),
  'record-failed': warn(
    'cannot write down how delivery goes',
    `$status may lag behind. ${database}`,
  ),
  'dead-letter': error(
    'an event was set aside as dead letter',
    'Its consumers miss this event. Raise maxRequestSize and the limit of the topic of Kafka (message.max.bytes), then call $redrive; or $discard it. $dead-letters has it by eventNumber.',
    'every',
  ),
  'job-failed': warn(
    'a job has failed',
    'Ask $status why; put it right and begin the operation anew from where the job was.',
  ),
  'job-waits': warn('a job waits', `It goes on by itself. ${database}`),
  'job-unwritten': warn('cannot write down how a job goes', database),
  'jobs-unread': warn('cannot look for jobs; will retry', database),
  'job-ended': info('a job has ended', 'Nothing.'),
  'no-checkpoint': warn(
    'no checkpoint: a crash can send events twice',
    'Give the Kafka principal the right that the cause names; it is tried again every ten seconds.',
  ),
  'checkpoint-settled': info(
    'Kafka had these events already',
    'Nothing: a crash between two commits was made good.',
  ),
  delivered: delivery('delivered', 'Nothing: the delivery log of a destination.'),
  'delivery-failed': delivery(
    'delivery failed',
    'The delivery log of a destination: do what the error says.',
  ),
  'best-effort-lost': warn(
    'best effort',
    'Do what the cause says. What could not be sent meanwhile is lost and counted.',
  ),
  'best-effort-undecided': warn(
    'the criteria of a topic could not be decided; best effort drops its events',
    'Correct the criteria of the topic; $explain shows where it fails.',
    'every',
  ),
  'best-effort-counters-failed': warn(
    'cannot write best-effort counters; will retry',
    `$status may lag behind. ${database}`,
  ),
  'best-effort-number-failed': warn(
    'cannot read the last event number; starting at 1',
    'Event numbers of the destination begin anew. Look at the database.',
  ),
  undecided: warn(
    'the criteria of a topic could not be decided; its events are kept undecided',
    'Correct the criteria of the topic ($explain shows where it fails); the events are decided again then.',
    'every',
  ),
  'undecided-full': error(
    'too many events of a topic are undecided; from now on they are only counted',
    'Events are lost from now on: correct the criteria of the topic.',
    'every',
  ),
  'undecided-not-kept': warn(
    'undecided events of a topic are not kept, because there are too many',
    'Events are lost: correct the criteria of the topic.',
    'every',
  ),
  'undecided-kept': info(
    'undecided events of a topic are kept again',
    'Those between openSince and closedAt are missing: send them anew if consumers need them.',
  ),
  'undecided-decided': info('undecided events were decided', 'Nothing.'),
  'undecided-failed': warn('cannot decide undecided events; will retry', database),
  'undecided-count-failed': warn('cannot count undecided events; keeping them', database),
  'topic-unusable': error(
    'a stored topic cannot be used',
    'Nothing is selected by it. Write it anew; the answer says what is wrong with it.',
  ),
  'topic-invalid': error(
    'a stored topic is invalid',
    'Correct the topic; $status of its destinations has the fault as well.',
  ),
  'topic-at-rest': warn(
    'destinations read a topic that selects nothing',
    'Nothing new is sent to them. Create or activate the topic, or delete the destinations.',
    'every',
  ),
  'destination-unusable': error(
    'a destination cannot be used',
    'Nothing is delivered to it until what the fault says is put right; its events wait.',
  ),
  'secrets-unusable': error(
    'the new secrets of a destination cannot be used; it keeps those it has',
    'Put right what the fault says before the old secrets end.',
  ),
  'secrets-changed': info('a destination uses the new content of its secrets', 'Nothing.'),
  'certificate-ends': warn(
    'a certificate of a destination ends soon, or is outside its time',
    'Replace the certificate; without a restart (docs/kafka-tls.md).',
  ),
  'less-protected': warn(
    'a destination is less protected than its parameters say',
    'Do what the cause says, or take the parameter away.',
  ),
  'outside-catalogue': warn(
    'a destination writes to a Kafka topic that the catalogue does not declare for it',
    'Do what the cause says; the destination is served meanwhile.',
  ),
  'other-rights': warn(
    'the topology gives rights for other options',
    'Make the option and the topology file say the same, then apply the file.',
  ),
  'registry-failed': warn(
    'cannot refresh topics and destinations; will retry',
    `Writes wait, and answer 503 after ten seconds. ${database}`,
  ),
  'moves-open': warn('cannot close the moves of destinations; will be done later', database),
  'preflight-found': warn(
    'the preflight of a destination found a problem',
    'Do what the cause says before events wait for it.',
  ),
  'preflight-failed': warn('a destination could not be looked at', 'Ask for $preflight again.'),
  'session-failed': warn(
    'the session of this node cannot connect; will retry',
    `This node delivers nothing meanwhile. ${database}`,
  ),
  'session-lost': warn(
    'the session of this node is lost; every leadership of it is void',
    'Other nodes take over. When it comes often: look at the network and at idle timeouts.',
  ),
  'lease-unended': warn(
    'the lease of this node could not be ended; it will run out',
    'Others take over ten seconds later.',
  ),
  'lease-failed': warn('the lease of this node cannot be renewed; will retry', database),
  'lease-lost': warn(
    'the lease of this node has ended; every leadership of it is void',
    'Other nodes take over. When it comes often: the database or this process is too slow.',
  ),
  'notice-failed': debug(
    'other nodes could not be told of new events',
    'Nothing: they look by themselves.',
  ),
  'cleanup-failed': warn(
    'cannot clean the outbox; will retry',
    `The outbox grows meanwhile. ${database}`,
  ),
  'connection-lost': warn(
    'an idle database connection was lost',
    'A new one is made. When it comes often: look at the network and at idle timeouts.',
  ),
  'metrics-failed': warn(
    'metrics are without cluster-wide series: the database does not answer',
    database,
  ),
  'monitor-failed': warn(
    'the monitor cannot read the outbox',
    'Nothing for delivery; the console shows figures again when the database answers.',
  ),
  'request-refused': warn(
    'a request was refused for now',
    'The client should try again. When it goes on: look at the database.',
    'every',
  ),
  'request-failed': error(
    'a request failed unexpectedly',
    'Look at err and its place; the client has got 500.',
    'every',
  ),
  'entry-failed': error(
    'an entry of a batch failed unexpectedly',
    'Look at err and its place; the client has got 500 for the entry.',
    'every',
  ),
  'request-answered': debug('answered a request', 'Nothing.'),
  'capture-leading': info(
    'relaying captured changes',
    'This node moves the changes that triggers have captured.',
  ),
  'capture-not-leading': info('another node relays captured changes now', 'Nothing.'),
  'capture-failed': warn('cannot relay captured changes; will retry', database),
  'capture-set-aside': error(
    'a captured change was set aside: its stored content is not JSON',
    'No topic sees this change. Look at the row of the history table.',
    'every',
  ),
  'triggers-missing': error(
    'history tables may be without triggers; will retry',
    `Changes may be missed. ${database}`,
  ),
  'triggers-installed': info('history tables were given triggers', 'Nothing.'),
  'embedded-postgres': info(
    'DATABASE_URL is not set: started a PostgreSQL that is removed at the end',
    'Set DATABASE_URL to keep what is stored.',
  ),
  'embedded-kafka': info(
    "KAFKA_BOOTSTRAP_SERVERS is not set: started librdkafka's mock cluster, in memory, for trying out",
    'Set KAFKA_BOOTSTRAP_SERVERS to try a cluster of your own.',
  ),
  'no-metrics': info(
    'there is no /metrics: prom-client is not installed',
    'npm install prom-client, or METRICS=false.',
  ),
  stopping: info('stopping', 'Nothing: a signal has come.'),
  'stop-failed': error('a part of the server did not stop', 'Look at err.', 'every'),
}
