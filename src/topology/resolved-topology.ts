import type { Acl } from './acl.ts'
import type { Named, RetryPolicyEntry, RoleEntry, ServiceEntry } from './document.ts'
import type { DocumentPath } from './finding.ts'

/** A document as it is in one environment: plain values, in the order of their names. */
export interface ResolvedTopology {
  readonly name: string
  /** Undefined where the document knows no environments. */
  readonly environment: string | undefined
  readonly topics: readonly ResolvedTopic[]
  readonly groups: readonly ConsumerGroup[]
  /** What roles and destinations may do. */
  readonly acls: readonly Acl[]
  readonly services: Named<ServiceEntry>
  readonly retryPolicies: Named<RetryPolicyEntry>
  readonly roles: Named<RoleEntry>
  /** Principals of the document, by their names in the file: `User:<name>` each. */
  readonly principals: Named<string>
  readonly destinations: readonly ResolvedDestination[]
  readonly fhir: ResolvedFhir
  /** Prefixes that names of topics start with; empty where the document allows any. */
  readonly allow: readonly string[]
  /** Prefixes of topics that belong to somebody else. */
  readonly ignore: readonly string[]
  /** Brokers of the cluster, where the document knows. */
  readonly brokers: number | undefined
}

export interface ResolvedTopic {
  readonly name: string
  readonly kind: 'topic' | 'health' | 'retry' | 'deadLetter'
  /** The topic whose messages come to this retry or dead-letter topic. */
  readonly source: string | undefined
  readonly partitions: number
  readonly replicationFactor: number
  /** Settings by Kafka's names, as Kafka writes their values. */
  readonly config: Readonly<Record<string, string>>
  readonly producers: readonly string[]
  readonly consumers: readonly string[]
  readonly hasExternalProducer: boolean
  readonly hasExternalConsumer: boolean
  readonly content: string | undefined
  readonly description: string | undefined
  readonly when: string | undefined
  /** The retry policy by whose name the document has it. */
  readonly retryPolicy: string | undefined
  readonly declaredAt: DocumentPath
}

export interface ConsumerGroup {
  readonly name: string
  readonly service: string
  readonly topics: readonly string[]
  /** Most members it has, where the service says. */
  readonly maxInstances: number | undefined
}

/** What the document says about the module of a FHIR server. */
export interface ResolvedFhir {
  /** Whether destinations may only use topics that the document declares for them. */
  readonly enforceCatalogue: boolean
  /** As the module's option of that name. */
  readonly transactionalIdPrefix: string
  /** As the module's option of that name. */
  readonly checkpointTopic: string | undefined
}

export interface ResolvedDestination {
  readonly id: string
  readonly kafkaTopic: string
  readonly kind: 'kafka-at-least-once' | 'kafka-best-effort'
  /** `User:<name>`; undefined where it cannot be told. */
  readonly principal: string | undefined
  readonly declaredAt: DocumentPath
}
