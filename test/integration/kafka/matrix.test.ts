import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { allow, type Right } from '../../helpers/kafka-acls.ts'
import { putScramUsers, signedIdentity } from '../../helpers/kafka-principals.ts'
import { createTopic, testKafka, uniqueName, type KafkaAddresses } from '../../helpers/kafka.ts'
import { TokenEndpoint } from '../../helpers/token-endpoint.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import {
  patient,
  patientsTopic,
  startNodes,
  untilStatus,
  type Node,
  type Status,
} from '../delivery/nodes.ts'
import {
  clientCertificate,
  mutualTlsListener,
  passwordLogin,
  saslListener,
  saslTlsListener,
  scramMechanisms,
  tokenLogin,
  type ScramMechanism,
} from './logins.ts'

type Kind = 'kafka-at-least-once' | 'kafka-best-effort'
type Parameters = Readonly<Record<string, string>>

/** Credentials of one destination. */
interface Login {
  readonly parameters: Parameters
  /** `User:…`, to whom rights are given. */
  readonly principal: string
  /** What $status says while they are wrong. */
  readonly cause?: RegExp
  /** Puts it right at the broker; absent where that cannot be done. */
  readonly mend?: () => Promise<void>
  /** What a write is told that is refused because of them. */
  readonly refusal?: RegExp
}

type MakeLogin = (kafka: KafkaAddresses, t: TestContext) => Login | Promise<Login>

/** One way to connect. A further one, such as a mechanism of SASL, is a row more. */
interface Mode {
  readonly name: string
  readonly listener: (kafka: KafkaAddresses) => Parameters & { readonly bootstrapServers: string }
  readonly logins: {
    readonly right: MakeLogin
    readonly wrong?: MakeLogin
    readonly expired?: MakeLogin
  }
  /** False: nothing is forbidden to whoever connects. */
  readonly hasRights: boolean
}

const refusedLogin = /refused the login/
const password = 'matrix-secret'
const deadlineMs = 90_000

const plainLogins: Mode['logins'] = {
  right: ({ users }) => plainLogin(users['alice'] ?? ''),
  wrong: () => ({ ...plainLogin('wrong'), cause: refusedLogin }),
}

function plainLogin(word: string): Login {
  return { parameters: passwordLogin('PLAIN', 'alice', word), principal: 'User:alice' }
}

/** Passwords of SCRAM do not expire; instead a user is not there (any more). */
function scramLogins(mechanism: ScramMechanism): Mode['logins'] {
  const login = (user: string): Login => ({
    parameters: passwordLogin(mechanism, user, password),
    principal: `User:${user}`,
  })
  const put = async (
    { bootstrapServers }: KafkaAddresses,
    user: string,
    word = password,
  ): Promise<void> => putScramUsers(bootstrapServers, { [user]: word })
  return {
    right: async (kafka) => {
      const user = uniqueName('right')
      await put(kafka, user)
      return login(user)
    },
    wrong: async (kafka) => {
      const user = uniqueName('wrong')
      await put(kafka, user, 'another word')
      return { ...login(user), cause: refusedLogin, mend: () => put(kafka, user) }
    },
    expired: (kafka) => {
      const user = uniqueName('gone')
      return { ...login(user), cause: refusedLogin, mend: () => put(kafka, user) }
    },
  }
}

/** A client of its own for each, so that one can be put right at the endpoint. The broker is shown a token only when there is one. */
const tokenLogins: Mode['logins'] = {
  right: async (_kafka, t) => tokenLoginOf(await endpointOf(t)),
  wrong: async (_kafka, t) => {
    const endpoint = await endpointOf(t)
    const login = tokenLoginOf(endpoint, 'wrong')
    const cause = /^The token endpoint .* refused the client: invalid_client/
    const mend = async (): Promise<void> => {
      endpoint.clientSecret = 'wrong'
      await endpoint.untilCalls(endpoint.calls.length + 1)
    }
    return { ...login, cause, mend }
  },
  expired: async (_kafka, t) => {
    const endpoint = await endpointOf(t)
    endpoint.clockSkewSeconds = -7200
    const mend = async (): Promise<void> => {
      endpoint.clockSkewSeconds = 0
      await endpoint.untilCalls(endpoint.calls.length + 1)
    }
    return { ...tokenLoginOf(endpoint), cause: /^The login token .* has expired already/, mend }
  },
}

async function endpointOf(t: TestContext): Promise<TokenEndpoint> {
  const endpoint = await TokenEndpoint.start(t)
  endpoint.subject = uniqueName('client')
  return endpoint
}

function tokenLoginOf(endpoint: TokenEndpoint, clientSecret = endpoint.clientSecret): Login {
  return {
    parameters: tokenLogin(endpoint, { clientSecret }),
    principal: `User:${endpoint.subject}`,
  }
}

const certificateLogins: Mode['logins'] = {
  right: (kafka) => certificateLogin(signedIdentity(kafka.certificates, 'matrix'), 'matrix'),
  wrong: (kafka) => ({
    parameters: clientCertificate(kafka, 'rogue'),
    principal: 'User:CN=mtls-client',
    cause: /refused the client certificate \(/,
  }),
  expired: (kafka) => ({
    ...certificateLogin(
      signedIdentity(kafka.certificates, 'matrix', { isExpired: true }),
      'matrix',
    ),
    refusal: /The certificate of .* has ended on /,
  }),
}

function certificateLogin(
  { key, certificate }: { key: string; certificate: string },
  commonName: string,
): Login {
  return {
    parameters: { sslKeystoreKey: key, sslKeystoreCertificateChain: certificate },
    principal: `User:CN=${commonName}`,
  }
}

const saslLogins: Readonly<Record<string, Mode['logins']>> = {
  PLAIN: plainLogins,
  ...Object.fromEntries(scramMechanisms.map((mechanism) => [mechanism, scramLogins(mechanism)])),
  OAUTHBEARER: tokenLogins,
}

const modes: readonly Mode[] = [
  {
    name: 'PLAINTEXT',
    listener: ({ bootstrapServers }) => ({ bootstrapServers, securityProtocol: 'PLAINTEXT' }),
    logins: { right: () => ({ parameters: {}, principal: 'User:ANONYMOUS' }) },
    hasRights: false,
  },
  { name: 'mutual TLS', listener: mutualTlsListener, logins: certificateLogins, hasRights: true },
  ...Object.entries(saslLogins).flatMap(([mechanism, logins]) => [
    { name: mechanism, listener: saslListener, logins, hasRights: true },
    { name: `${mechanism} over TLS`, listener: saslTlsListener, logins, hasRights: true },
  ]),
]

const kinds: readonly Kind[] = ['kafka-at-least-once', 'kafka-best-effort']
type Credentials = keyof Mode['logins']
type TopicState = 'present' | 'missing' | 'forbidden'

interface Row {
  readonly mode: Mode
  readonly kind: Kind
  readonly credentials: Credentials
  readonly topic: TopicState
}

/** Every topic with the right credentials, every credentials with a topic that is there. */
const rows: readonly Row[] = modes.flatMap((mode) =>
  kinds.flatMap((kind) => {
    const topics: TopicState[] = mode.hasRights
      ? ['present', 'missing', 'forbidden']
      : ['present', 'missing']
    const others = (['wrong', 'expired'] as const).filter((one) => mode.logins[one])
    return [
      ...topics.map((topic): Row => ({ mode, kind, credentials: 'right', topic })),
      ...others.map((credentials): Row => ({ mode, kind, credentials, topic: 'present' })),
    ]
  }),
)

const topicCauses: Readonly<Record<Exclude<TopicState, 'present'>, RegExp>> = {
  missing: /^Unknown topic: Kafka topic "/,
  forbidden: /^Topic authorization failed: /,
}

/** A row whose destination is stored. */
interface Laid {
  readonly id: string
  readonly cause: RegExp | undefined
  readonly mend: (() => Promise<void>) | undefined
}

/** A row whose destination cannot be stored. */
interface Refused {
  readonly destination: ReturnType<typeof destinationResource>
  readonly refusal: RegExp
}

/** Each destination comes up, fails and recovers for itself, all in one node. */
describe('every way to connect', () => {
  const title = 'names the cause once, and goes on when it is put right at the broker'
  it(title, { concurrency: rows.length }, async (t) => {
    const kafka = await testKafka()
    const transactionalIdPrefix = uniqueName('matrix')
    const plan = new Plan(kafka, transactionalIdPrefix)
    for (const row of rows) await plan.add(row, t)
    const [{ first: node }] = await Promise.all([
      startNodes(t, 1, { transactionalIdPrefix, allowedTokenEndpoints: plan.tokenEndpoints }),
      plan.lay(),
    ])
    await node.host.put(patientsTopic, ...plan.destinations)
    const writtenAtMs = performance.now()
    // What best effort has lost does not come again: there is always something new to deliver.
    const writing = new AbortController()
    const writer = writeOn(node, writing.signal)
    try {
      await Promise.all(rows.map((row) => t.test(nameOf(row), (each) => play(each, row))))
    } finally {
      writing.abort()
      await writer
    }

    async function play(each: TestContext, row: Row): Promise<void> {
      const refused = plan.refused.get(row)
      if (refused) {
        await assert.rejects(node.host.put(refused.destination), { message: refused.refusal })
        return
      }
      const { id, cause, mend } = plan.laid.get(row) ?? assert.fail('the row was not laid')
      const named = (errors: readonly string[]): readonly string[] =>
        errors.filter((text) => cause?.test(text))
      if (cause) {
        await untilStatus(node, id, ({ errors }) => named(errors).length > 0, deadlineMs)
        each.diagnostic(`named after ${Math.round(performance.now() - writtenAtMs)} ms`)
        await mend?.()
      }
      const isOver = ({ messagesDelivered }: Status): boolean => Number(messagesDelivered) > 0
      const status = await untilStatus(
        node,
        id,
        (told) => (cause && !mend ? true : isOver(told)),
        deadlineMs,
      )
      assert.equal(named(status.errors).length, cause ? 1 : 0, status.errors.join(' | '))
      // Other destinations of the same producer have trouble with their topics.
      const ofTopics = Object.values(topicCauses)
      const foreign = status.errors.filter(
        (text) => ofTopics.some((pattern) => pattern.test(text)) && !cause?.test(text),
      )
      assert.deepEqual(foreign, [])
    }
  })
})

function nameOf({ mode, kind, credentials, topic }: Row): string {
  return `${mode.name}, ${kind}: ${credentials} credentials, topic ${topic}`
}

async function writeOn({ host }: Node, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await host.put(patient(uniqueName('p')))
    await delay(500, undefined, { signal }).catch(() => undefined)
  }
}

/** What is needed for the rows at the broker, made together. */
class Plan {
  readonly laid = new Map<Row, Laid>()
  readonly refused = new Map<Row, Refused>()
  readonly destinations: ReturnType<typeof destinationResource>[] = []
  readonly tokenEndpoints: string[] = []
  readonly #kafka: KafkaAddresses
  readonly #prefix: string
  readonly #rights = new Map<string, Right[]>()
  readonly #topics: string[] = []
  /** Rows with the right credentials of a mode share them, and with them a producer of best effort. */
  readonly #right = new Map<Mode, Login>()

  constructor(kafka: KafkaAddresses, transactionalIdPrefix: string) {
    this.#kafka = kafka
    this.#prefix = transactionalIdPrefix
  }

  async add(row: Row, t: TestContext): Promise<void> {
    const { mode, kind, credentials, topic } = row
    const login = await this.#loginOf(row, t)
    const { principal } = login
    const { saslOauthbearerTokenEndpointUrl: tokenEndpoint } = login.parameters
    if (tokenEndpoint !== undefined) this.tokenEndpoints.push(tokenEndpoint)
    const kafkaTopic = uniqueName('matrix')
    const { bootstrapServers } = this.#kafka
    if (topic !== 'missing') this.#topics.push(kafkaTopic)
    if (topic === 'forbidden') {
      const rights = writesTo(kafkaTopic)
      this.#note(row, topicCauses[topic], () => allow(bootstrapServers, principal, ...rights))
    } else {
      this.#grant(principal, ...writesTo(kafkaTopic))
      if (topic === 'missing') {
        this.#note(row, topicCauses[topic], () => createTopic(bootstrapServers, kafkaTopic))
      } else this.#note(row, credentials === 'right' ? undefined : login.cause, login.mend)
    }
    const { bootstrapServers: servers, ...listener } = mode.listener(this.#kafka)
    const parameters: Parameters = { ...listener, ...login.parameters }
    const made = destinationResource(this.#idOf(row), kind, 'patients', kafkaTopic, servers)
    const destination = {
      ...made,
      parameter: [
        ...(made['parameter'] as object[]),
        ...Object.entries(parameters).map(([name, valueString]) => ({ name, valueString })),
        // A connect that fails takes as long, and they fail one after the other.
        { name: 'maxBlockMs', valueInteger: 1000 },
      ],
    }
    const { refusal } = login
    if (refusal) this.refused.set(row, { destination, refusal })
    else this.destinations.push(destination)
  }

  async lay(): Promise<void> {
    const { bootstrapServers } = this.#kafka
    for (const [principal, rights] of this.#rights) {
      await allow(bootstrapServers, principal, ...rights, ...ofTransactions(this.#prefix))
    }
    for (const topic of this.#topics) await createTopic(bootstrapServers, topic)
  }

  async #loginOf({ mode, credentials }: Row, t: TestContext): Promise<Login> {
    const made = credentials === 'right' ? this.#right.get(mode) : undefined
    if (made) return made
    const make = mode.logins[credentials] ?? assert.fail('the mode has no such credentials')
    const login = await make(this.#kafka, t)
    if (credentials === 'right') this.#right.set(mode, login)
    return login
  }

  #grant(principal: string, ...rights: readonly Right[]): void {
    this.#rights.set(principal, [...(this.#rights.get(principal) ?? []), ...rights])
  }

  #note(row: Row, cause: RegExp | undefined, mend: (() => Promise<void>) | undefined): void {
    this.laid.set(row, { id: this.#idOf(row), cause, mend })
  }

  #idOf(row: Row): string {
    return `row-${rows.indexOf(row)}`
  }
}

function writesTo(resourceName: string): readonly Right[] {
  return (['WRITE', 'DESCRIBE', 'READ'] as const).map((operation) => ({
    operation,
    resourceType: 'TOPIC',
    resourceName,
  }))
}

function ofTransactions(prefix: string): readonly Right[] {
  const pattern = 'PREFIXED' as const
  return [
    { operation: 'WRITE', resourceType: 'TRANSACTIONAL_ID', resourceName: prefix, pattern },
    { operation: 'DESCRIBE', resourceType: 'TRANSACTIONAL_ID', resourceName: prefix, pattern },
    { operation: 'READ', resourceType: 'GROUP', resourceName: prefix, pattern },
  ]
}
