import { randomUUID } from 'node:crypto'
import { deadline } from '../../deadline.ts'
import { isKafkaError } from '../../kafka/kafka-error.ts'
import { jaasString } from '../../kafka/jaas.ts'
import { toProducerConfig, type ProducerConfig } from '../../kafka/producer-config.ts'
import { RoundTripReader } from '../../kafka/round-trip/round-trip-reader.ts'
import { RoundTripWriter } from '../../kafka/round-trip/round-trip-writer.ts'
import { loginModuleOf } from '../../kafka/sasl/login-modules.ts'
import type { ClusterConnection } from '../cluster-connection.ts'
import type { HealthSide, HealthSubject } from './health-subjects.ts'
import type { FailedService, ServiceHealth } from './topology-health.ts'

/** What a look has found, and when its connections are ended: that may take longer than the look. */
export interface Look {
  readonly services: readonly ServiceHealth[]
  readonly ended: Promise<unknown>
}

/** One record for each subject, written and read back by its principals. The time is for all of them: to connect one after the other, and then for all
 *  records at once.
 *  @param userOf `User:<name>` of a principal
 *  @throws {@link TopicDestinationError} when the file does not say how to connect, or a secret cannot be read */
export async function roundTrips(
  subjects: readonly HealthSubject[],
  connection: ClusterConnection,
  deadlineMs: number,
  userOf: (principal: string) => string | undefined,
): Promise<Look> {
  const parties = partiesOf(subjects, (principal) => configOf(connection, principal, deadlineMs))
  const clients = [...new Set(parties.flatMap(({ writer, reader }) => [writer, reader]))]
  const over = deadline(deadlineMs, new AbortController().signal)
  const looking = connectAll(clients, deadlineMs, over.signal).then((failures) =>
    Promise.all(parties.map((party) => roundTrip(party, failures, over.signal, userOf))),
  )
  const ended = looking
    .catch(() => undefined)
    .then(() => Promise.all(clients.map((client) => client.disconnect())))
  try {
    return { services: await looking, ended }
  } finally {
    over.dispose()
  }
}

/** One after the other, each with its share of what is left of the time: what an absent broker costs one of them leaves the next its turn, and its own
 *  cause.
 *  @returns why some could not */
async function connectAll(
  clients: readonly Client[],
  deadlineMs: number,
  over: AbortSignal,
): Promise<ReadonlyMap<Client, string>> {
  const endsAtMs = performance.now() + deadlineMs
  const failures = new Map<Client, string>()
  for (const [index, client] of clients.entries()) {
    const shares = clients.length - index + 1
    const timeoutMs = Math.max(1, Math.floor((endsAtMs - performance.now()) / shares))
    try {
      await client.connect(timeoutMs, over)
    } catch (error) {
      if (!isKafkaError(error)) throw error
      failures.set(client, error.message)
    }
  }
  return failures
}

type Client = RoundTripWriter | RoundTripReader

interface Party {
  readonly subject: HealthSubject
  readonly writer: RoundTripWriter
  readonly reader: RoundTripReader
}

/** Services with the same producer share its connection. */
function partiesOf(
  subjects: readonly HealthSubject[],
  configFor: (principal: string | undefined) => ProducerConfig,
): Party[] {
  const configs = new Map<string | undefined, ProducerConfig>()
  const writers = new Map<string | undefined, RoundTripWriter>()
  const known = <Value>(
    values: Map<string | undefined, Value>,
    principal: string | undefined,
    make: () => Value,
  ): Value => {
    const value = values.get(principal) ?? make()
    values.set(principal, value)
    return value
  }
  const config = (principal: string | undefined): ProducerConfig =>
    known(configs, principal, () => configFor(principal))
  return subjects.map((subject) => ({
    subject,
    writer: known(writers, subject.producer, () => new RoundTripWriter(config(subject.producer))),
    reader: new RoundTripReader(config(subject.consumer), subject),
  }))
}

/** As that of a destination: the same checks, the same properties. */
function configOf(
  { brokers, securityProtocol, truststore, login }: ClusterConnection,
  principal: string | undefined,
  deadlineMs: number,
): ProducerConfig {
  const values = {
    // No record is sent there: each goes to the topic of its service.
    kafkaTopic: 'health',
    bootstrapServers: brokers.join(','),
    securityProtocol,
    deliveryTimeoutMs: deadlineMs,
    requestTimeoutMs: deadlineMs,
    // A topic that is not there is told in time.
    maxBlockMs: Math.ceil(deadlineMs / 4),
    ...(truststore === undefined ? {} : { sslTruststoreCertificates: truststore }),
    ...(principal === undefined ? {} : saslValues(login(principal))),
  }
  return toProducerConfig(values, 'best-effort')
}

function saslValues({ mechanism, username, password }: ReturnType<ClusterConnection['login']>): {
  readonly saslMechanism: string
  readonly saslJaasConfig: string
} {
  const className = loginModuleOf(mechanism)?.className ?? ''
  return {
    saslMechanism: mechanism,
    saslJaasConfig: `${className} required username=${jaasString(username)} password=${jaasString(password)};`,
  }
}

async function roundTrip(
  { subject, writer, reader }: Party,
  failures: ReadonlyMap<Client, string>,
  over: AbortSignal,
  userOf: (principal: string) => string | undefined,
): Promise<ServiceHealth> {
  const { service, kafkaTopic } = subject
  const failed = (side: HealthSide, cause: string): FailedService => {
    const principal = subject[side]
    return {
      service,
      kafkaTopic,
      isHealthy: false,
      side,
      principal: principal === undefined ? undefined : userOf(principal),
      cause,
    }
  }
  for (const [side, client] of [
    ['producer', writer],
    ['consumer', reader],
  ] as const) {
    const cause = failures.get(client)
    if (cause !== undefined) return failed(side, cause)
  }
  const nonce = randomUUID()
  const startedMs = performance.now()
  let side: HealthSide = 'producer'
  try {
    const place = await writer.write(kafkaTopic, nonce, over)
    side = 'consumer'
    await reader.read(place, nonce, over)
    return {
      service,
      kafkaTopic,
      isHealthy: true,
      latencyMs: Math.round(performance.now() - startedMs),
      partition: place.partition,
      offset: place.offset,
    }
  } catch (error) {
    if (isKafkaError(error)) return failed(side, error.message)
    throw error
  }
}
