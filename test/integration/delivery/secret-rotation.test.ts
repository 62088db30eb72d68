import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { channelTable } from '../../../src/observability/channel-table.ts'
import { putScramUsers } from '../../helpers/kafka-principals.ts'
import { newTopic, privateKafka, type KafkaBroker } from '../../helpers/kafka.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { passwordLogin } from '../kafka/logins.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  untilStatus,
  type Node,
} from './nodes.ts'

type Method = (this: object, ...values: unknown[]) => unknown
type Kind = 'kafka-at-least-once' | 'kafka-best-effort'

/** A destination whose login is a secret, on a broker that has its clients log in again every second. */
class RotatingDestination {
  readonly node: Node
  readonly kafkaTopic: string
  readonly broker: KafkaBroker
  readonly #folder: string
  #written = 0
  #isWriting = true
  #writing: Promise<void> = Promise.resolve()

  private constructor(
    node: Node,
    kafkaTopic: string,
    broker: KafkaBroker,
    folder: string,
    log: LogLine[],
  ) {
    this.node = node
    this.#log = log
    this.kafkaTopic = kafkaTopic
    this.broker = broker
    this.#folder = folder
  }

  /** Of the module. */
  readonly #log: LogLine[]

  static async start(
    t: TestContext,
    kind: Kind,
    options: { readonly stopTimeoutMs?: number } = {},
  ): Promise<RotatingDestination> {
    let stopWriting = (): Promise<unknown> => Promise.resolve()
    // Before the node goes: what is registered first runs first.
    t.after(() => stopWriting())
    const settings = { 'connections.max.reauth.ms': '1000' }
    const broker = await privateKafka(t, { settings })
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const folder = await mkdtemp(join(tmpdir(), 'rotated-'))
    t.after(() => rm(folder, { recursive: true }))
    const vaultConfigPath = join(folder, 'vault.json')
    const scope = { resource_type: 'AidboxTopicDestination' }
    await writeFile(vaultConfigPath, JSON.stringify({ secret: { jaas: { path: 'jaas', scope } } }))
    const log: LogLine[] = []
    const logger = recordingLogger(log)
    // The log tells what repeats once a minute, the channels each time.
    for (const { name } of [channelTable.failure, channelTable.trouble]) {
      const note = (message: unknown): void => {
        log.push({ level: 'debug', fields: { ...(message as object) }, message: name })
      }
      subscribe(name, note)
      t.after(() => unsubscribe(name, note))
    }
    const { first } = await startNodes(t, 1, {
      ...options,
      vaultConfigPath,
      secretCheckIntervalMs: 50,
      logger,
    })
    const rotating = new RotatingDestination(first, kafkaTopic, broker, folder, log)
    await rotating.writeSecret(broker.users['admin'] ?? '')
    await first.host.put(patientsTopic)
    await first.host.put(rotating.#resource(kind))
    rotating.#writing = rotating.#write()
    stopWriting = () => rotating.stopWriting()
    return rotating
  }

  #resource(kind: Kind) {
    const { saslBootstrapServers: bootstrapServers } = this.broker
    const made = destination('d', { kind, kafkaTopic: this.kafkaTopic, bootstrapServers })
    const extension = [
      { url: 'http://health-samurai.io/fhir/secret-reference', valueString: 'jaas' },
    ]
    return {
      ...made,
      parameter: [
        ...(made['parameter'] as object[]),
        { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
        { name: 'saslMechanism', valueString: 'SCRAM-SHA-512' },
        { name: 'requestTimeoutMs', valueInteger: 1000 },
        { name: 'saslJaasConfig', _valueString: { extension } },
      ],
    }
  }

  async #write(): Promise<void> {
    while (this.#isWriting) {
      await this.node.host.put(patient(`p${++this.#written}`))
    }
  }

  /** @returns how many patients were written */
  async stopWriting(): Promise<number> {
    this.#isWriting = false
    await this.#writing
    return this.#written
  }

  /** Replaced at once, as an operator should do it. */
  async writeSecret(password: string): Promise<void> {
    const { saslJaasConfig: text } = passwordLogin('SCRAM-SHA-512', 'admin', password)
    this.#log.length = 0
    await writeFile(join(this.#folder, 'jaas.new'), text)
    await rename(join(this.#folder, 'jaas.new'), join(this.#folder, 'jaas'))
  }

  /** Half of it is there. */
  async spoilSecret(): Promise<void> {
    await writeFile(join(this.#folder, 'jaas'), 'org.apache.kafka.common.security.scram')
  }

  readonly changePassword = async (password: string): Promise<void> => {
    this.#log.length = 0
    await putScramUsers(this.broker.bootstrapServers, { admin: password })
  }

  /** Resolves when a client has been refused since the secret or the password was changed. */
  async untilRefused(): Promise<void> {
    const isRefusal = ({ fields }: LogLine) => /refused the login/.test(String(fields['cause']))
    await untilStatus(this.node, 'd', () => this.#log.some(isRefusal))
  }

  /** More than there were, which none but the client of now can have sent. */
  async untilMoreDelivered(): Promise<void> {
    const delivered = async (least: number): Promise<number> => {
      const status = await untilStatus(
        this.node,
        'd',
        (now) => Number(now['messagesDelivered']) >= least,
      )
      return Number(status['messagesDelivered'])
    }
    await delivered(Math.max(await delivered(0), this.#written) + 1)
  }
}

/** Native calls that send a checkpoint, by the client that makes them. */
class CheckpointCalls {
  readonly #underWay = new Map<object, Promise<void>>()
  #latest: object | undefined

  constructor() {
    // Its types have no place for another implementation.
    const prototype = rdkafka.Producer.prototype as unknown as Record<string, Method>
    const original = prototype['sendOffsetsToTransaction'] ?? assert.fail('there is no such call')
    const begin = (client: object, call: Promise<void>): void => {
      this.#latest = client
      this.#underWay.set(client, call)
      void call.then(() => this.#underWay.delete(client))
    }
    prototype['sendOffsetsToTransaction'] = function counted(...values) {
      const done = values.pop() as (...results: unknown[]) => void
      const call = new Promise<void>((resolve) => {
        original.call(this, ...values, (...results: unknown[]) => {
          resolve()
          done(...results)
        })
      })
      begin(this, call)
    }
  }

  /** How many clients that are no longer used have one. */
  get left(): number {
    return [...this.#underWay.keys()].filter((client) => client !== this.#latest).length
  }

  /** A call that does not end keeps the process for ever, `process.exit` too. The broker lets each client in by the password that it has. */
  async end(rotating: RotatingDestination): Promise<void> {
    const { node, changePassword } = rotating
    await rotating.stopWriting()
    await node.module.stop()
    for (const [client, call] of this.#underWay) {
      const { globalConfig } = client as { globalConfig: Record<string, string> }
      await changePassword(globalConfig['sasl.password'] ?? assert.fail('it has no password'))
      await call
    }
  }
}

async function assertEachOnce(rotating: RotatingDestination): Promise<void> {
  const count = await rotating.stopWriting()
  const { broker, kafkaTopic, node } = rotating
  const status = await untilStatus(node, 'd', (now) => now['messagesDelivered'] === count)
  assert.deepEqual([status['messagesQueued'], status['messagesDead']], [0, 0])
  const told = await readTold(broker.bootstrapServers, kafkaTopic, ({ length }) => length >= count)
  assert.deepEqual(
    lines(told),
    Array.from({ length: count }, (_, n) => `${n + 1} Patient/p${n + 1}`),
  )
}

describe('a secret is rotated while events are written', () => {
  const calls = new CheckpointCalls()

  it('at least once: none is lost, doubled or out of order', async (t) => {
    const rotating = await RotatingDestination.start(t, 'kafka-at-least-once')
    await rotating.untilMoreDelivered()
    for (const round of [1, 2, 3]) {
      // The new client is refused until the broker knows the password; the old one is let in until then.
      await rotating.writeSecret(`new-${round}`)
      await rotating.untilRefused()
      await rotating.changePassword(`new-${round}`)
      await rotating.untilMoreDelivered()
    }
    await assertEachOnce(rotating)
    await calls.end(rotating)
  })

  it('at least once: goes on when the broker had the new password first, though librdkafka waits for the old one for ever', async (t) => {
    const options = { stopTimeoutMs: 100 }
    const rotating = await RotatingDestination.start(t, 'kafka-at-least-once', options)
    // Not every refusal comes while a checkpoint is sent.
    for (let round = 1; round <= 10 && calls.left === 0; round++) {
      await rotating.untilMoreDelivered()
      await rotating.changePassword(`new-${round}`)
      await rotating.untilRefused()
      await rotating.writeSecret(`new-${round}`)
      await rotating.untilMoreDelivered()
    }
    assert.equal(calls.left, 1)
    await assertEachOnce(rotating)
    await calls.end(rotating)
  })

  it('best effort: what the old client has is sent, and nothing is lost or doubled', async (t) => {
    const rotating = await RotatingDestination.start(t, 'kafka-best-effort')
    await rotating.untilMoreDelivered()
    await rotating.writeSecret('new')
    await rotating.untilRefused()
    await rotating.changePassword('new')
    await rotating.untilMoreDelivered()
    const count = await rotating.stopWriting()
    const { broker, kafkaTopic, node } = rotating
    const status = await untilStatus(node, 'd', (now) => now['messagesDelivered'] === count)
    assert.equal(status['messagesLost'], 0)
    const told = await readTold(
      broker.bootstrapServers,
      kafkaTopic,
      ({ length }) => length >= count,
    )
    assert.deepEqual(
      told.map(({ number }) => number).toSorted((a, b) => a - b),
      Array.from({ length: count }, (_, n) => n + 1),
    )
  })

  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`${kind}: goes on with the secret it has while the new one is half written`, async (t) => {
      const rotating = await RotatingDestination.start(t, kind)
      await rotating.untilMoreDelivered()
      await rotating.spoilSecret()
      const spoiled = await untilStatus(rotating.node, 'd', (now) => now['status'] === 'error')
      assert.match(String(spoiled['statusReason']), /^saslJaasConfig cannot be read|is empty/)
      await rotating.untilMoreDelivered()
      await rotating.writeSecret('new')
      await rotating.untilRefused()
      await rotating.changePassword('new')
      const healed = await untilStatus(rotating.node, 'd', (now) => now['status'] === 'active')
      assert.equal(healed['statusReason'], undefined)
      await rotating.untilMoreDelivered()
      if (kind === 'kafka-at-least-once') {
        await calls.end(rotating)
        return
      }
      const count = await rotating.stopWriting()
      const status = await untilStatus(
        rotating.node,
        'd',
        (now) => now['messagesDelivered'] === count,
      )
      assert.equal(status['messagesLost'], 0)
    })
  }
})
