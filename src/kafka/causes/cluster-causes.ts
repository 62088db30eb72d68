import type { CauseRow } from './cause-row.ts'

export type ClusterCauseName =
  | 'topic-unknown'
  | 'topic-created-by-use'
  | 'topic-invisible'
  | 'topic-forbidden'
  | 'topic-unreadable'
  | 'transactional-id-forbidden'
  | 'group-forbidden'
  | 'group-unreadable'
  | 'cluster-forbidden'
  | 'record-too-large'
  | 'producer-fenced'
  | 'coordinator-loading'
  | 'coordinator-unavailable'
  | 'group-coordinator-unavailable'
  | 'transaction-timeout-too-large'
  | 'transaction-state'
  | 'too-few-replicas'
  | 'leader-unavailable'
  | 'disk-failed'
  | 'records-not-acknowledged'
  | 'topic-limit-smaller'
  | 'single-copy'
  | 'throttled'
  | 'request-timed-out'
  | 'no-answer-in-time'
  | 'record-timed-out'
  | 'buffer-full'
  | 'record-invalid'
  | 'policy-violated'
  | 'sequence-skipped'
  | 'partition-unknown'

/** Why a cluster that can be reached does not take records. */
export const clusterCauses: Readonly<Record<ClusterCauseName, CauseRow>> = {
  'topic-unknown': {
    codes: [3, -188],
    parameter: 'kafkaTopic',
    issue: 'not-found',
    say: ({ topic }) =>
      `Unknown topic: ${topic} does not exist and the cluster does not create it.`,
    remedy: 'Create the topic, or correct kafkaTopic. Delivery goes on by itself then.',
  },
  'topic-created-by-use': {
    parameter: 'kafkaTopic',
    issue: 'not-found',
    say: ({ topic }) =>
      `${topic} does not exist; its first record will create it, with the partitions and replicas that the brokers have as default.`,
    remedy:
      'Only the preflight says it, where auto.create.topics.enable is set. Create the topic where its partitions, replicas or retention matter.',
  },
  'topic-invisible': {
    parameter: 'kafkaTopic',
    issue: 'not-found',
    say: ({ topic }) =>
      `${topic} does not exist, or the Kafka principal may not see it (Describe).`,
    remedy: 'Only the preflight says it. Create the topic, or grant Write and Describe on it.',
  },
  'topic-forbidden': {
    codes: [29],
    parameter: 'kafkaTopic',
    issue: 'forbidden',
    say: ({ topic }) =>
      `Topic authorization failed: the Kafka principal may not write to ${topic}; it needs Write and Describe.`,
    remedy: 'Grant the principal Write and Describe on the topic.',
  },
  'topic-unreadable': {
    parameter: 'kafkaTopic',
    issue: 'forbidden',
    say: ({ topic }) =>
      `Topic authorization failed: the Kafka principal may not read ${topic}; it needs Read and Describe.`,
    remedy: 'Only `topology health` says it. Grant the principal Read and Describe on the topic.',
  },
  'transactional-id-forbidden': {
    codes: [53],
    parameter: 'saslJaasConfig',
    issue: 'forbidden',
    say: ({ id }) =>
      `Transactional id authorization failed: the Kafka principal needs Write and Describe on ${id}.`,
    remedy:
      'Grant the principal Write and Describe on transactional ids with the prefix of the option transactionalIdPrefix.',
  },
  'group-forbidden': {
    codes: [30],
    parameter: 'saslJaasConfig',
    issue: 'forbidden',
    say: () =>
      'Group authorization failed: the Kafka principal needs Read on the consumer group of the checkpoint.',
    remedy:
      'Grant the principal Read on consumer groups with the prefix of the option transactionalIdPrefix. Without it delivery goes on, and a crash can send events twice.',
  },
  'group-unreadable': {
    parameter: 'saslJaasConfig',
    issue: 'forbidden',
    say: ({ detail }) =>
      `Group authorization failed: the Kafka principal may not read with the consumer group ${detail}; it needs Read on it.`,
    remedy: 'Only `topology health` says it. Grant the principal Read on the consumer group.',
  },
  'cluster-forbidden': {
    codes: [31],
    parameter: 'saslJaasConfig',
    issue: 'forbidden',
    say: () =>
      'Cluster authorization failed: the Kafka principal needs Write on the topic (brokers before Kafka 2.8: IdempotentWrite on the cluster).',
    remedy: 'Grant the principal Write on the topic; brokers before 2.8 want IdempotentWrite.',
  },
  'record-too-large': {
    codes: [10, 18],
    parameter: 'maxRequestSize',
    issue: 'too-long',
    say: ({ topic }) =>
      `Message too large: the record exceeds maxRequestSize, or max.message.bytes of ${topic}.`,
    remedy:
      'Raise maxRequestSize, and max.message.bytes of the topic or message.max.bytes of the brokers, or send less with content.',
  },
  'producer-fenced': {
    codes: [47, 90, -144],
    parameter: 'bootstrapServers',
    issue: 'conflict',
    say: ({ id }) =>
      `Another producer with ${id} has taken over, or the transaction expired on the broker.`,
    remedy:
      'Nothing, when it comes alone: another node has taken over. Again and again: two installations share transactionalIdPrefix and an outbox.',
  },
  'coordinator-loading': {
    codes: [14],
    parameter: 'bootstrapServers',
    issue: 'transient',
    say: () => 'The Kafka transaction coordinator is still loading.',
    remedy: 'It passes by itself, soon after a broker has started.',
  },
  'coordinator-unavailable': {
    codes: [15, 16],
    parameter: 'bootstrapServers',
    issue: 'transient',
    say: ({ detail }) =>
      `${detail === '' ? 'Awaiting InitProducerId' : detail}: the transaction coordinator did not answer. On a cluster of fewer than three brokers transaction.state.log.replication.factor must not exceed their number.`,
    remedy:
      'Set transaction.state.log.replication.factor (and transaction.state.log.min.isr) of the brokers to at most their number. On a larger cluster: too few brokers of `__transaction_state` are up.',
  },
  'group-coordinator-unavailable': {
    parameter: 'bootstrapServers',
    issue: 'transient',
    say: () =>
      'Awaiting TxnOffsetCommit: the coordinator of the consumer group did not answer. On a cluster of fewer than three brokers offsets.topic.replication.factor must not exceed their number.',
    remedy:
      'Set offsets.topic.replication.factor of the brokers to at most their number. On a larger cluster: too few brokers of `__consumer_offsets` are up. Delivery goes on by itself, at the latest 20 seconds after the coordinator is there.',
  },
  'transaction-timeout-too-large': {
    codes: [50],
    parameter: 'bootstrapServers',
    issue: 'business-rule',
    say: () =>
      'transaction.timeout.ms (60000) is larger than the broker allows (transaction.max.timeout.ms).',
    remedy: 'Set transaction.max.timeout.ms of the brokers to 60000 or more.',
  },
  'transaction-state': {
    codes: [48],
    parameter: 'bootstrapServers',
    issue: 'conflict',
    say: () => 'Kafka refused to end the transaction: it was in another state.',
    remedy: 'Nothing: the transaction is repeated by a new producer.',
  },
  'too-few-replicas': {
    codes: [19, 20],
    parameter: 'kafkaTopic',
    issue: 'transient',
    say: ({ topic }) => `Too few replicas of ${topic} are in sync (min.insync.replicas).`,
    remedy: 'Bring the missing brokers back, or lower min.insync.replicas of the topic.',
  },
  'leader-unavailable': {
    codes: [5, 6],
    parameter: 'kafkaTopic',
    issue: 'transient',
    say: ({ topic }) => `No broker leads a partition of ${topic}.`,
    remedy: 'Bring the brokers back that hold replicas of the partition.',
  },
  'disk-failed': {
    codes: [56],
    parameter: 'kafkaTopic',
    issue: 'transient',
    say: ({ topic }) => `A Kafka broker cannot write ${topic} to its disk, which may be full.`,
    remedy: 'Free the disk of the broker, and restart it when it has taken the directory offline.',
  },
  'records-not-acknowledged': {
    parameter: 'kafkaTopic',
    issue: 'timeout',
    say: ({ topic, detail }) =>
      `Kafka does not acknowledge records for ${topic}, although it has a leader${detail === '' ? '' : ` (${detail})`}: too few replicas in sync (min.insync.replicas), a full disk, or a broker that is overloaded.`,
    remedy:
      'Look at the replicas of the topic and at the disk and log of the broker that leads it. librdkafka repeats such errors without naming them.',
  },
  'topic-limit-smaller': {
    parameter: 'maxRequestSize',
    issue: 'too-long',
    say: ({ topic, detail }) =>
      `maxRequestSize is larger than max.message.bytes of ${topic} (${detail}); records between the two are set aside, or lost with best effort.`,
    remedy: 'Only the preflight says it. Raise the limit of the topic, or lower maxRequestSize.',
  },
  'single-copy': {
    parameter: 'kafkaTopic',
    issue: 'business-rule',
    say: ({ topic }) =>
      `${topic} has one replica on a cluster of several brokers; when its broker stops, delivery stops.`,
    remedy:
      'Only the preflight says it, of the topic and of `__transaction_state` (transaction.state.log.replication.factor).',
  },
  throttled: {
    codes: [89],
    parameter: 'bootstrapServers',
    issue: 'throttled',
    say: ({ broker }) =>
      `${broker} slows this producer down by a quota. Nothing is lost by that; records wait.`,
    remedy:
      'It is information, no failure. Raise the quota of the user or client id `fhir-topic-destination-kafka` when events wait too long.',
  },
  'request-timed-out': {
    codes: [7],
    parameter: 'requestTimeoutMs',
    issue: 'timeout',
    say: () => 'The Kafka broker did not finish the request in time.',
    remedy: 'It is tried again. A broker that is overloaded, or requestTimeoutMs is too small.',
  },
  'no-answer-in-time': {
    codes: [-185],
    parameter: 'bootstrapServers',
    issue: 'timeout',
    say: () => 'Kafka did not answer in time.',
    remedy: 'It is tried again. Look at the brokers and the network.',
  },
  'record-timed-out': {
    codes: [-192],
    parameter: 'deliveryTimeoutMs',
    issue: 'timeout',
    say: ({ topic }) => `Kafka did not acknowledge a record for ${topic} within deliveryTimeoutMs.`,
    remedy:
      'The message goes on with what was wrong meanwhile. Best effort: the record is lost. At least once: it is sent again.',
  },
  'buffer-full': {
    codes: [-184],
    parameter: 'bootstrapServers',
    issue: 'throttled',
    say: () => 'Too many records are waiting for Kafka.',
    remedy: 'Events come faster than Kafka takes them, or it is away.',
  },
  'record-invalid': {
    codes: [87],
    parameter: 'keyByResourceId',
    issue: 'business-rule',
    say: ({ topic }) =>
      `Invalid record: the broker refuses the record for ${topic}, for example a compacted topic without keys.`,
    remedy: 'Set keyByResourceId where the topic is compacted.',
  },
  'policy-violated': {
    codes: [44],
    parameter: 'kafkaTopic',
    issue: 'business-rule',
    say: ({ topic }) => `A policy of the Kafka cluster refuses records for ${topic}.`,
    remedy: 'Ask who runs the cluster.',
  },
  'sequence-skipped': {
    codes: [45],
    parameter: 'bootstrapServers',
    issue: 'conflict',
    say: () => 'Kafka skipped sequence numbers of this producer, because an earlier batch failed.',
    remedy: 'Nothing: the records are sent again.',
  },
  'partition-unknown': {
    codes: [-189, -190],
    parameter: 'kafkaTopic',
    issue: 'not-found',
    say: ({ topic }) => `${topic} has no such partition.`,
    remedy: 'It passes when the topic was created anew.',
  },
}
