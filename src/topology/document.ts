/** A document of the format `fhir-kafka/v1`, as schemas/fhir-kafka-v1.schema.json describes it. Every text may hold `${VARIABLES}`. */
export interface TopologyDocument {
  readonly apiVersion: 'fhir-kafka/v1'
  readonly kind: 'KafkaTopology'
  readonly metadata: {
    readonly name: string
    readonly owner?: string
    readonly description?: string
  }
  readonly cluster?: ClusterSection
  readonly principals?: Named<PrincipalEntry>
  readonly naming?: NamingSection
  readonly defaults?: TopicSettings
  readonly environments?: Named<EnvironmentEntry>
  readonly services?: Named<ServiceEntry>
  readonly retryPolicies?: Named<RetryPolicyEntry>
  readonly topics: Named<TopicEntry | null>
  readonly roles?: Named<RoleEntry>
  readonly fhir?: FhirSection
}

export type Named<Entry> = Readonly<Record<string, Entry>>

export interface ClusterSection {
  /** Its name where Kubernetes runs it, for Strimzi's label. */
  readonly name?: string
  readonly bootstrapServers?: string
  readonly securityProtocol?: SecurityProtocol
  readonly saslMechanism?: SaslMechanism
  /** File with the certificates, in PEM form, that brokers are trusted by; relative to the document. */
  readonly truststore?: string
}

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface PrincipalEntry {
  /** Kafka's name of it: `User:<name>`. */
  readonly user: string
  /** Where its password is: `env:<variable>`, or the name of a secret in the vault configuration. */
  readonly secretRef?: string
}

export interface NamingSection {
  readonly allow?: readonly string[]
  /** Prefixes and names of topics on the cluster that belong to somebody else. */
  readonly ignore?: readonly string[]
  readonly retrySuffix?: string
  readonly deadLetterSuffix?: string
}

export interface TopicSettings {
  /** A number, or as many as the largest number of consumers in a group. */
  readonly partitions?: number | { readonly maxConsumers: number }
  readonly replicationFactor?: number
  /** Settings of Kafka by their names there; `retention` is `retention.ms` as a duration. */
  readonly config?: Named<string | number | boolean>
}

export interface EnvironmentEntry extends TopicSettings {
  readonly vars?: Named<string | number | boolean>
  /** Brokers of its cluster, where that is known. */
  readonly brokers?: number
}

export interface ServiceEntry {
  readonly title?: string
  /** What the names of its consumer groups start with; the class in lower case follows. */
  readonly groupPrefix: string
  /** The topic it proves with that it reaches Kafka. */
  readonly health?: string
  /** Principal that it writes with. Default: the one whose role may write to the health topic. */
  readonly producer?: string
  /** Principal that it reads with. Default: the one whose role may read the health topic. */
  readonly consumer?: string
  /** Most instances of it that run at once. */
  readonly maxInstances?: number
}

export interface RetryPolicyEntry {
  readonly attempts?: number
  readonly maxAge?: string
  readonly delays?: readonly string[]
  /** Share of a delay that is drawn by chance, 0 to 1. */
  readonly jitter?: number
  readonly then?: 'deadLetter' | 'drop' | 'external'
  /** Error classes that are not tried again. */
  readonly deadOn?: readonly string[]
  /** How long the dead-letter topic keeps messages; default: as long as the topic they come from. */
  readonly deadLetterRetention?: string
}

export interface TopicEntry extends TopicSettings {
  readonly description?: string
  readonly content?: string
  /** What makes a message appear on it. */
  readonly when?: string
  /** Producers as `service/Component`. */
  readonly by?: readonly string[]
  /** Consumers as `service/Component`. */
  readonly to?: readonly string[]
  readonly external?: boolean | 'producer' | 'consumer'
  readonly role?: 'health'
  readonly retry?: string | { readonly policy: string; readonly to?: readonly string[] }
}

export interface RoleEntry {
  readonly principal: string
  readonly can: readonly Capability[]
  /** Names, or prefixes that end in `*`. */
  readonly topics?: readonly string[]
  readonly groups?: readonly string[]
  readonly transactionalIds?: readonly string[]
}

export type Capability = 'read' | 'write' | 'create' | 'describe' | 'alter' | 'manageAcls'

export interface FhirSection {
  readonly enforceCatalogue?: boolean
  /** As the module's option of that name. */
  readonly transactionalIdPrefix?: string
  /** As the module's option of that name. */
  readonly checkpointTopic?: string
  /** The brokers are older than Kafka 2.8, and want IdempotentWrite on the cluster of whoever sends without transactions. */
  readonly idempotentWrite?: boolean
  readonly destinations?: readonly DestinationEntry[]
}

export interface DestinationEntry {
  readonly id: string
  /** Canonical URL of the subscription topic. */
  readonly topic?: string
  readonly kafkaTopic: string
  readonly kind: 'kafka-at-least-once' | 'kafka-best-effort'
  /** Default: the one principal whose role may write to the Kafka topic. */
  readonly principal?: string
  /** As the module's option of that name. Default true. */
  readonly transactional?: boolean
  /** As the module's option of that name. Default true. */
  readonly checkpoint?: boolean
}
