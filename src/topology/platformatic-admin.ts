import type { Admin, AdminOptions } from '@platformatic/kafka'
import type * as Platformatic from '@platformatic/kafka'
import { sortedAcls, type Acl } from './acl.ts'
import type { ClusterAdmin, ClusterFacts, ClusterTopic, NewTopic } from './cluster-admin.ts'
import { ClusterFailure, clusterFailure } from './cluster-failure.ts'

type Library = typeof Platformatic

const transactionLogSetting = 'transaction.state.log.replication.factor'

/** {@link ClusterAdmin} on @platformatic/kafka. */
export class PlatformaticAdmin implements ClusterAdmin {
  readonly #kafka: Library
  readonly #admin: Admin

  constructor(kafka: Library, options: AdminOptions) {
    this.#kafka = kafka
    this.#admin = new kafka.Admin(options)
  }

  async facts(): Promise<ClusterFacts> {
    const { brokers } = await this.#try('The cluster could not be described', () =>
      this.#admin.metadata({ topics: [], forceUpdate: true }),
    )
    const [broker = 0] = brokers.keys()
    return {
      brokers: brokers.size,
      transactionLogReplicas: await this.#transactionLogReplicas(broker),
    }
  }

  /** Needs DescribeConfigs on the cluster, which nothing else does. */
  async #transactionLogReplicas(broker: number): Promise<number | undefined> {
    try {
      const [described] = await this.#try('The settings of a broker could not be read', () =>
        this.#admin.describeConfigs({
          resources: [
            {
              resourceType: this.#kafka.ConfigResourceTypes.BROKER,
              resourceName: String(broker),
              configurationKeys: [transactionLogSetting],
            },
          ],
        }),
      )
      const value = described?.configs.find(({ name }) => name === transactionLogSetting)?.value
      return value === undefined || value === null ? undefined : Number(value)
    } catch (error) {
      if (error instanceof ClusterFailure && error.isUnauthorized) return undefined
      throw error
    }
  }

  async topicNames(): Promise<readonly string[]> {
    return this.#try('The topics could not be listed', () => this.#admin.listTopics())
  }

  async describeTopics(names: readonly string[]): Promise<readonly ClusterTopic[]> {
    if (names.length === 0) return []
    const { topics } = await this.#try('The topics could not be described', () =>
      this.#admin.metadata({ topics: [...names], forceUpdate: true }),
    )
    const configs = await this.#try(
      'The settings of the topics could not be read (this needs DescribeConfigs on them)',
      () =>
        this.#admin.describeConfigs({
          resources: names.map((resourceName) => ({
            resourceType: this.#kafka.ConfigResourceTypes.TOPIC,
            resourceName,
          })),
        }),
    )
    const byName = new Map(
      configs.map(({ resourceName, configs: settings }) => [resourceName, settings]),
    )
    return names.map((name) => {
      const partitions = topics.get(name)?.partitions ?? []
      const settings = (byName.get(name) ?? []).filter(({ isSensitive }) => !isSensitive)
      const isOwn = (source: number): boolean => source === this.#kafka.ConfigSources.TOPIC_CONFIG
      return {
        name,
        partitions: partitions.length,
        replicationFactor: fewestReplicas(partitions),
        config: valuesOf(settings.filter(({ configSource }) => isOwn(configSource))),
        effectiveConfig: valuesOf(settings),
      }
    })
  }

  async createTopic({ name, partitions, replicationFactor, config }: NewTopic): Promise<void> {
    await this.#try(`The topic "${name}" could not be created`, () =>
      this.#admin.createTopics({
        topics: [name],
        partitions,
        replicas: replicationFactor,
        configs: Object.entries(config).map(([key, value]) => ({ name: key, value })),
      }),
    )
  }

  async addPartitions(topic: string, total: number): Promise<void> {
    await this.#try(`Partitions could not be added to "${topic}"`, () =>
      this.#admin.createPartitions({ topics: [{ name: topic, count: total }] }),
    )
  }

  async alterConfig(
    topic: string,
    changes: Readonly<Record<string, string | undefined>>,
  ): Promise<void> {
    const { SET, DELETE } = this.#kafka.IncrementalAlterConfigOperationTypes
    await this.#try(`The settings of "${topic}" could not be changed`, () =>
      this.#admin.incrementalAlterConfigs({
        resources: [
          {
            resourceType: this.#kafka.ConfigResourceTypes.TOPIC,
            resourceName: topic,
            configs: Object.entries(changes).map(([name, value]) =>
              value === undefined
                ? { name, configOperation: DELETE }
                : { name, configOperation: SET, value },
            ),
          },
        ],
      }),
    )
  }

  async acls(principal: string): Promise<readonly Acl[]> {
    const { ResourceTypes, ResourcePatternTypes, AclOperations, AclPermissionTypes } = this.#kafka
    const described = await this.#try(
      `The ACLs of ${principal} could not be read (this needs Describe on the cluster; --skip-acls leaves them out)`,
      () =>
        this.#admin.describeAcls({
          filter: {
            resourceType: ResourceTypes.ANY,
            resourceName: null,
            resourcePatternType: ResourcePatternTypes.ANY,
            principal,
            host: null,
            operation: AclOperations.ANY,
            permissionType: AclPermissionTypes.ANY,
          },
        }),
    )
    return sortedAcls(
      described.flatMap(({ resourceType, resourceName, resourcePatternType, acls }) =>
        acls.map(({ host, operation, permissionType, principal: of }) => ({
          principal: of,
          host,
          permission: labelOf(AclPermissionTypes, permissionType) as Acl['permission'],
          operation: labelOf(AclOperations, operation) as Acl['operation'],
          resourceType: labelOf(ResourceTypes, resourceType) as Acl['resourceType'],
          patternType: labelOf(ResourcePatternTypes, resourcePatternType) as Acl['patternType'],
          resourceName,
        })),
      ),
    )
  }

  async deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void> {
    if (before.size === 0) return
    const partitions = [...before].map(([partition, offset]) => ({
      partition,
      offset: BigInt(offset),
    }))
    await this.#try(`Records of "${topic}" could not be deleted`, () =>
      this.#admin.deleteRecords({ topics: [{ name: topic, partitions }] }),
    )
  }

  async createAcls(acls: readonly Acl[]): Promise<void> {
    await this.#try('The ACLs could not be added', () =>
      this.#admin.createAcls({ creations: acls.map((acl) => this.#toWire(acl)) }),
    )
  }

  async deleteAcls(acls: readonly Acl[]): Promise<void> {
    await this.#try('The ACLs could not be removed', () =>
      this.#admin.deleteAcls({ filters: acls.map((acl) => this.#toWire(acl)) }),
    )
  }

  async close(): Promise<void> {
    if (!this.#admin.closed) await this.#admin.close()
  }

  #toWire(acl: Acl): Platformatic.Acl {
    return {
      principal: acl.principal,
      host: acl.host,
      permissionType: this.#kafka.AclPermissionTypes[acl.permission],
      operation: this.#kafka.AclOperations[acl.operation],
      resourceType: this.#kafka.ResourceTypes[acl.resourceType],
      resourcePatternType: this.#kafka.ResourcePatternTypes[acl.patternType],
      resourceName: acl.resourceName,
    }
  }

  async #try<Answer>(whatFailed: string, call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await call()
    } catch (error) {
      throw clusterFailure(whatFailed, error)
    }
  }
}

/** Partitions may differ; the one with the fewest is what can be lost. */
function fewestReplicas(partitions: readonly { readonly replicas: readonly number[] }[]): number {
  const [first = 0, ...others] = partitions.map(({ replicas }) => replicas.length)
  return Math.min(first, ...others)
}

function valuesOf(
  settings: readonly { readonly name: string; readonly value?: string | null | undefined }[],
): Record<string, string> {
  return Object.fromEntries(settings.map(({ name, value }) => [name, value ?? '']))
}

function labelOf(constants: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(constants).find(([, constant]) => constant === value)?.[0] ?? String(value)
}
