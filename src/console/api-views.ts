import type {
  DestinationRowView,
  DestinationView,
  Health,
  Series,
  Summary,
  TailEntry,
  TopicView,
} from '../monitor/views.ts'

/** Answers of the console's JSON API that are made here; the others are those of the monitor. */

export interface SessionView {
  /** Whether the caller may change something. */
  readonly mayWrite: boolean
  /** Whether the console has a sign-in of its own, which can be ended. */
  readonly canSignOut: boolean
  /** Operations of a destination that this server has, without `$`. */
  readonly operations: readonly string[]
  /** Whether the caller may know of everything, the nodes included. */
  readonly seesAll: boolean
  /** Whether the health of a Kafka cluster is known. */
  readonly hasHealth: boolean
  /** Whether a topology file is known. */
  readonly hasTopology: boolean
}

/** What a topology file says. The rows are topics, in the order of their names. */
export interface TopologyView extends Page<KafkaTopicView> {
  readonly name: string
  readonly environment?: string
  readonly search: string
  readonly retryPolicies: readonly RetryPolicyView[]
}

export interface KafkaTopicView {
  readonly name: string
  /** `retry` and `deadLetter` are made of the retry policy of `source`. */
  readonly kind: 'topic' | 'health' | 'retry' | 'deadLetter'
  readonly source?: string
  readonly description?: string
  readonly partitions: number
  readonly replicationFactor: number
  /** `7d`, `unlimited`; absent: what the cluster does by itself. */
  readonly retention?: string
  readonly isCompacted: boolean
  /** `service/Component`; `outside` for those that the file does not name. */
  readonly producers: readonly string[]
  readonly consumers: readonly string[]
  readonly retryPolicy?: string
  readonly destinations: readonly TopicWriterView[]
}

/** A destination that writes to a Kafka topic, by the file or as it is stored. */
export interface TopicWriterView {
  readonly id: string
  /** Whether the file names it for this Kafka topic. */
  readonly isDeclared: boolean
  /** Whether the stored destination writes to a Kafka topic of this name. */
  readonly isStored: boolean
}

export interface RetryPolicyView {
  readonly name: string
  readonly attempts?: number
  readonly maxAge?: string
  readonly delays: readonly string[]
  readonly then?: string
  readonly deadOn: readonly string[]
}

/** Whether the services of a Kafka cluster can talk through it, as `HealthProbe.check` of a topology says it. */
export interface ClusterHealthView {
  /** Of the topology. */
  readonly name: string
  readonly environment?: string | undefined
  /** Whether all services are. */
  readonly isHealthy: boolean
  readonly services: readonly ServiceHealthView[]
}

export interface ServiceHealthView {
  readonly service: string
  readonly kafkaTopic: string
  readonly isHealthy: boolean
  /** Of a healthy one: from handing a record over until it was read, in milliseconds. */
  readonly latencyMs?: number
  /** Of one that is not: who could not do its part, as whom, and why. Without secrets. */
  readonly side?: 'producer' | 'consumer'
  readonly principal?: string | undefined
  readonly cause?: string
}

/** The answer of everything that goes wrong. */
export interface ErrorBody {
  /** One sentence for people; never holds a secret or resource content. */
  readonly error: string
  /** Whether the console has a sign-in of its own: of 401 only. */
  readonly canSignIn?: boolean
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Of all pages. */
  readonly total: number
  /** From 1. */
  readonly page: number
  readonly pages: number
}

/** A page of destinations, the worst first. */
export interface DestinationsView extends Page<DestinationRowView> {
  readonly summary: Summary
  /** The search that the page is of, and the healths. */
  readonly search: string
  readonly health: Health | ''
}

export interface ParameterView {
  readonly name: string
  /** `masked`: a secret that stands in the resource. `secret-reference`: one that stands elsewhere, `value` is its name. */
  readonly kind: 'value' | 'masked' | 'secret-reference'
  readonly value?: string
}

export interface DestinationDetailView {
  readonly destination: DestinationView
  /** Of the topic of `topicUrl`; absent: there is none that the caller may see. */
  readonly topicId?: string | undefined
  readonly series: Series
}

/** What of a destination changes with its resource only. */
export interface DestinationSettingsView {
  readonly versionId?: string
  readonly content: string
  readonly parameters: readonly ParameterView[]
}

export interface TopicDetailView {
  readonly topic: TopicView
  readonly destinations: readonly DestinationView[]
}

/** Rows of a list that goes on: `next` is to be given as `after`; absent: there is no more. */
export interface ListView<Row> {
  readonly rows: readonly Row[]
  readonly next?: string
  /** Left out between them, as they are of organizations that the caller may not know of. */
  readonly hidden?: number
}

/** Data of the event `tail`. */
export type TailView = readonly TailEntry[]
