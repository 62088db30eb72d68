/** Whose value a series tells.
 *  - `cluster`: what PostgreSQL has, which every node tells alike. Over the nodes: `max`, never `sum`.
 *  - `node`: what this process has done or is. Over the nodes: `sum`. */
export type MetricScope = 'cluster' | 'node'

/** One metric. Its name ends with its unit, in base units, and with `_total` when it only rises. */
export interface MetricDefinition {
  readonly name: `fhir_topic_destination_${string}`
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly unit: string
  readonly scope: MetricScope
  readonly labels: readonly string[]
  /** One sentence or two, without what `unit` and `scope` say. */
  readonly help: string
  /** Upper limits of a histogram, rising. */
  readonly buckets?: readonly number[]
}

export type MetricKey =
  | 'delivered'
  | 'failedAttempts'
  | 'lost'
  | 'dead'
  | 'undecided'
  | 'notKept'
  | 'notFired'
  | 'discarded'
  | 'inProcess'
  | 'queued'
  | 'oldestEventAge'
  | 'state'
  | 'jobState'
  | 'jobEvents'
  | 'deliveryDuration'
  | 'produceDuration'
  | 'matchDuration'
  | 'enqueueDuration'
  | 'enqueued'
  | 'leader'
  | 'consecutiveFailures'
  | 'lanes'
  | 'producers'
  | 'registryAge'
  | 'collectFailures'

const ofDestination = ['destination', 'kind'] as const
/** From a hundredth of a second, which is quick for a Kafka transaction, to five minutes, which is an outage. */
const latencyBuckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300]
const workBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]

/** Every metric of the module: what is registered, documented and tested comes from here. */
export const metricTable: Readonly<Record<MetricKey, MetricDefinition>> = {
  delivered: {
    name: 'fhir_topic_destination_events_delivered_total',
    type: 'counter',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Events that Kafka has acknowledged: messagesDelivered of $status.',
  },
  failedAttempts: {
    name: 'fhir_topic_destination_failed_attempts_total',
    type: 'counter',
    unit: 'attempts',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Failed attempts to send, at least once only: messagesDeliveryAttempts of $status.',
  },
  lost: {
    name: 'fhir_topic_destination_events_lost_total',
    type: 'counter',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Events that were dropped, best effort only: messagesLost of $status.',
  },
  dead: {
    name: 'fhir_topic_destination_events_dead',
    type: 'gauge',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Events that were set aside because Kafka can never take them, at least once only: messagesDead of $status.',
  },
  undecided: {
    name: 'fhir_topic_destination_events_undecided',
    type: 'gauge',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Events whose criteria could not be decided: messagesUndecided of $status. At least once keeps them; of best effort they are lost.',
  },
  notKept: {
    name: 'fhir_topic_destination_events_not_kept_total',
    type: 'counter',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Undecided events that were only counted because there were too many, at least once only: messagesNotKept of $status.',
  },
  notFired: {
    name: 'fhir_topic_destination_events_not_fired_total',
    type: 'counter',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Undecided events that turned out not to be selected, at least once only: messagesNotFired of $status.',
  },
  discarded: {
    name: 'fhir_topic_destination_events_discarded_total',
    type: 'counter',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Undecided events and dead letters that an operator has discarded, at least once only: messagesDiscarded of $status.',
  },
  inProcess: {
    name: 'fhir_topic_destination_events_in_process',
    type: 'gauge',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Events that were handed to Kafka and are not settled: messagesInProcess of $status.',
  },
  queued: {
    name: 'fhir_topic_destination_events_queued',
    type: 'gauge',
    unit: 'events',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Committed events that wait to be sent, at least once only: messagesQueued of $status.',
  },
  oldestEventAge: {
    name: 'fhir_topic_destination_oldest_queued_event_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    scope: 'cluster',
    labels: ofDestination,
    help: 'Time since the first event in the queue was written, events under way included; 0 when the queue is empty. At least once only.',
  },
  state: {
    name: 'fhir_topic_destination_state',
    type: 'gauge',
    unit: 'destinations',
    scope: 'cluster',
    labels: [...ofDestination, 'state'],
    help: 'The label state is status of $status: active, off or error. Each destination has the one series of the state that it is in.',
  },
  jobState: {
    name: 'fhir_topic_destination_job_state',
    type: 'gauge',
    unit: 'jobs',
    scope: 'cluster',
    labels: [...ofDestination, 'operation', 'state'],
    help: 'The newest redrive, replay and backfill of each destination: state of job of $status is the label state. Each has the one series of the state that it is in.',
  },
  jobEvents: {
    name: 'fhir_topic_destination_job_events',
    type: 'gauge',
    unit: 'events',
    scope: 'cluster',
    labels: [...ofDestination, 'operation', 'result'],
    help: 'Of the same jobs: sent, failed and passedOver of job of $status, by the label result (sent, failed or passed_over). A new job begins at 0.',
  },
  deliveryDuration: {
    name: 'fhir_topic_destination_delivery_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    scope: 'node',
    labels: ofDestination,
    buckets: latencyBuckets,
    help: "From the begin of an event's transaction, by the clock of PostgreSQL, until Kafka acknowledged it, by the clock of this node.",
  },
  produceDuration: {
    name: 'fhir_topic_destination_produce_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    scope: 'node',
    labels: [],
    buckets: workBuckets,
    help: 'Time of one page of at least once from its first record until Kafka has committed it, failed attempts left out.',
  },
  matchDuration: {
    name: 'fhir_topic_destination_match_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    scope: 'node',
    labels: [],
    buckets: workBuckets,
    help: 'Time in which the changes of one transaction are matched against all topics, reads for resolve() included.',
  },
  enqueueDuration: {
    name: 'fhir_topic_destination_enqueue_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    scope: 'node',
    labels: [],
    buckets: workBuckets,
    help: 'Time in which the events of one transaction are written to the outbox; transactions without events are left out.',
  },
  enqueued: {
    name: 'fhir_topic_destination_events_enqueued_total',
    type: 'counter',
    unit: 'events',
    scope: 'node',
    labels: [],
    help: 'Events written to the outbox: one for each topic and organization, whatever the number of destinations. Those of transactions that did not commit are counted as well.',
  },
  leader: {
    name: 'fhir_topic_destination_leader',
    type: 'gauge',
    unit: 'destinations',
    scope: 'node',
    labels: ofDestination,
    help: 'At-least-once destinations that this node delivers: the sum over all nodes is 1 for each of them.',
  },
  consecutiveFailures: {
    name: 'fhir_topic_destination_consecutive_failures',
    type: 'gauge',
    unit: 'attempts',
    scope: 'node',
    labels: ofDestination,
    help: 'Attempts that have failed one after the other since the last success, of the destinations that this node delivers.',
  },
  lanes: {
    name: 'fhir_topic_destination_lanes',
    type: 'gauge',
    unit: 'lanes',
    scope: 'node',
    labels: ['state'],
    help: 'At-least-once destinations that this node delivers, by what they do: active, resting (nothing to send), failing (waits to try again) or off.',
  },
  producers: {
    name: 'fhir_topic_destination_producers',
    type: 'gauge',
    unit: 'producers',
    scope: 'node',
    labels: ['kind'],
    help: 'Kafka producers that this node has open; those of best effort are shared by destinations of the same connection.',
  },
  registryAge: {
    name: 'fhir_topic_destination_registry_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    scope: 'node',
    labels: [],
    help: "Age of this node's view of topics and destinations. Above registryLeaseMs writes wait for a new one. Over the nodes: max.",
  },
  collectFailures: {
    name: 'fhir_topic_destination_collect_failures_total',
    type: 'counter',
    unit: 'scrapes',
    scope: 'node',
    labels: [],
    help: 'Scrapes without the cluster-wide series because PostgreSQL did not answer in time.',
  },
}

const scopeSentences: Readonly<Record<MetricScope, string>> = {
  cluster: 'Cluster-wide, every node tells the same: max, not sum.',
  node: 'Of this node.',
}

/** Text of `# HELP`. */
export function helpOf({ help, scope }: MetricDefinition): string {
  return `${help} ${scopeSentences[scope]}`
}

/** Of a histogram. */
export function bucketsOf(key: MetricKey): readonly number[] {
  return metricTable[key].buckets ?? []
}
