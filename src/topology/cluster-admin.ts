import type { Acl } from './acl.ts'

/** What the commands ask of a Kafka cluster. Every call rejects with a {@link TopologyError} that says what the cluster answered. */
export interface ClusterAdmin {
  facts(): Promise<ClusterFacts>
  /** Names of all topics that the principal may see, without Kafka's own. */
  topicNames(): Promise<readonly string[]>
  /** The topics of that name; all of them must exist. */
  describeTopics(names: readonly string[]): Promise<readonly ClusterTopic[]>
  createTopic(topic: NewTopic): Promise<void>
  /** @param total partitions afterwards */
  addPartitions(topic: string, total: number): Promise<void>
  /** Changes these settings and no others; undefined sets one back to the broker's default. */
  alterConfig(topic: string, changes: Readonly<Record<string, string | undefined>>): Promise<void>
  /** The ACLs of one principal. */
  acls(principal: string): Promise<readonly Acl[]>
  /** Deletes the records of a topic that stand before these offsets.
   *  @param before offsets by partition */
  deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void>
  createAcls(acls: readonly Acl[]): Promise<void>
  deleteAcls(acls: readonly Acl[]): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

export interface ClusterFacts {
  readonly brokers: number
  /** `transaction.state.log.replication.factor`; undefined where the principal may not read it. */
  readonly transactionLogReplicas: number | undefined
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export interface ClusterTopic extends NewTopic {
  /** Of the partition with the fewest. */
  readonly replicationFactor: number
  /** Settings that differ from the broker's because somebody set them on the topic. */
  readonly config: Readonly<Record<string, string>>
  /** All settings that hold for it. */
  readonly effectiveConfig: Readonly<Record<string, string>>
}
