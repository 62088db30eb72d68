import type * as Platformatic from '@platformatic/kafka'
import { brokerAddress } from '../broker-address.ts'
import type { ProducerConfig } from '../producer-config.ts'
import { identityOf } from '../tls-probe.ts'
import { trustOf } from '../trusted-context.ts'

/** What librdkafka cannot ask for. Members are undefined where the principal may not know, or the broker is too old. */
export interface TopicLimits {
  /** Why the broker does not show the topic, a code of Kafka; 0: it does. */
  readonly errorCode: number
  readonly mayWrite: boolean | undefined
  /** Whether a topic that is not there may be created by its first record. */
  readonly isCreatedByUse: boolean
  readonly maxMessageBytes: number | undefined
  readonly minInSyncReplicas: number | undefined
}

/** Mechanisms that the optional client can log in with as librdkafka does. */
const mechanisms: ReadonlySet<string> = new Set(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
const clientId = 'fhir-topic-destination-kafka'
const topicResource = 2
const brokerResource = 4
const limitNames = ['max.message.bytes', 'min.insync.replicas']
const creationName = 'auto.create.topics.enable'

/** Asks one broker with the destination's own credentials, by the optional package @platformatic/kafka; undefined without it, for a login
 *  that it does not know, and when the broker does not answer it. Never rejects.
 *  @param broker `host:port` that is known to be reachable */
export async function readTopicLimits(
  broker: string,
  kafkaTopic: string,
  config: ProducerConfig,
  timeoutMs: number,
): Promise<TopicLimits | undefined> {
  const client = await loadClient()
  const address = brokerAddress(broker)
  const options = await connectionOptions(config, timeoutMs)
  if (!client || !address || !options) return undefined
  const connection = new client.Connection(clientId, options)
  // Whoever waits hears of it; without a listener the event would end the process.
  connection.on('error', () => undefined)
  try {
    await connection.connect(address.host, address.port)
    const { topic, nodeId } = await describe(client, connection, kafkaTopic)
    const { errorCode, topicAuthorizedOperations } = topic
    const ofTopic = await configOf(client, connection, topicResource, kafkaTopic, limitNames)
    const limits = typeof ofTopic === 'string' ? new Map<string, string>() : ofTopic
    const numberOf = (name: string): number | undefined => {
      const value = limits.get(name)
      return value === undefined ? undefined : Number(value)
    }
    return {
      errorCode,
      mayWrite: isWritable(client, topicAuthorizedOperations),
      isCreatedByUse: errorCode !== 0 && (await createsTopics(client, connection, nodeId)),
      maxMessageBytes: numberOf('max.message.bytes'),
      minInSyncReplicas: numberOf('min.insync.replicas'),
    }
  } catch {
    return undefined
  } finally {
    await connection.close().catch(() => undefined)
  }
}

type Client = typeof Platformatic

async function loadClient(): Promise<Client | undefined> {
  try {
    return await import('@platformatic/kafka')
  } catch {
    return undefined
  }
}

async function connectionOptions(
  config: ProducerConfig,
  timeoutMs: number,
): Promise<Platformatic.ConnectionOptions | undefined> {
  const protocol = String(config.global['security.protocol'])
  const text = (name: string): string => String(config.global[name] ?? '')
  const mechanism = text('sasl.mechanism')
  const isSasl = protocol.startsWith('SASL')
  if (isSasl && !mechanisms.has(mechanism)) return undefined
  return {
    connectTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    ...(protocol.endsWith('SSL')
      ? { tls: { ...(await trustOf(config)), ...identityOf(config) }, tlsServerName: true }
      : {}),
    ...(isSasl
      ? {
          sasl: {
            // Of the set above.
            mechanism: mechanism as Platformatic.SASLMechanismValue,
            username: text('sasl.username'),
            password: text('sasl.password'),
          },
        }
      : {}),
  }
}

/** The topic as the broker tells it, with what the one who asks may do with it (KIP-430). It is not created by that. */
async function describe(
  client: Client,
  connection: Platformatic.Connection,
  kafkaTopic: string,
): Promise<{ readonly topic: DescribedTopic; readonly nodeId: number | undefined }> {
  const { topics, brokers } = await answerOf(client, connection, kafkaTopic)
  const topic = topics.find(({ name }) => name === kafkaTopic)
  if (!topic) throw new Error('the broker did not answer for the topic')
  const { host, port } = connection
  const node = brokers.find((each) => each.host === host && each.port === port) ?? brokers[0]
  return { topic, nodeId: node?.nodeId }
}

async function answerOf(
  client: Client,
  connection: Platformatic.Connection,
  kafkaTopic: string,
): Promise<Platformatic.metadataV12.MetadataResponse> {
  try {
    return await client.metadataV12.api.async(connection, [kafkaTopic], false, true)
  } catch (error) {
    if (!(error instanceof client.ResponseError)) throw error
    // The errors are those of the topics, which stand in the answer.
    return error['response'] as Platformatic.metadataV12.MetadataResponse
  }
}

type DescribedTopic = Platformatic.metadataV12.MetadataResponseTopic

/** There is a bit for each operation; the smallest number means that the broker does not say. */
function isWritable(client: Client, operations: number): boolean | undefined {
  if (operations === -(2 ** 31)) return undefined
  return (operations & (1 << client.AclOperations.WRITE)) !== 0
}

/** What does not know the request at all, and hangs up, is no broker of Kafka's: librdkafka's mock cluster, which creates topics by use. One that refuses the answer
 *  (DescribeConfigs on the cluster) is one in earnest. */
async function createsTopics(
  client: Client,
  connection: Platformatic.Connection,
  nodeId: number | undefined,
): Promise<boolean> {
  const name = String(nodeId ?? '')
  const found = await configOf(client, connection, brokerResource, name, [creationName])
  return typeof found === 'string' ? found === 'hung up' : found.get(creationName) === 'true'
}

/** Needs the right DescribeConfigs on the topic, or for a broker on the cluster. */
async function configOf(
  client: Client,
  connection: Platformatic.Connection,
  resourceType: typeof topicResource | typeof brokerResource,
  resourceName: string,
  configurationKeys: string[],
): Promise<ReadonlyMap<string, string> | 'hung up' | 'refused'> {
  try {
    const { results } = await client.describeConfigsV4.api.async(
      connection,
      [{ resourceType, resourceName, configurationKeys }],
      false,
      false,
    )
    return new Map(
      results.flatMap(({ configs }) =>
        configs.map(({ name, value }): [string, string] => [name, value ?? '']),
      ),
    )
  } catch (error) {
    return error instanceof client.NetworkError ? 'hung up' : 'refused'
  }
}
