import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { Registry } from '../../../src/delivery/registry.ts'
import { recordRegistryChange } from '../../../src/outbox/registry-changes.ts'
import { TopicDestinationError } from '../../../src/errors.ts'
import { secretReferenceUrl } from '../../../src/resources/canonical-urls.ts'
import type { SecretSource } from '../../../src/resources/secrets.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { addDestination, testOutbox } from '../postgres/outbox-fixture.ts'
import { PgHost } from './pg-host.ts'

const login = (password: string): string =>
  `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${password}";`

async function startRegistry(t: TestContext, secrets: SecretSource) {
  let stop = (): Promise<void> => Promise.resolve()
  // Before the database goes: what is registered first runs first.
  t.after(() => stop())
  const outbox = await testOutbox(t)
  const { pool, db, schema } = outbox
  await PgHost.migrate(pool)
  const plain = destinationResource('plain', 'kafka-best-effort', 'x', 't', 'a:1')
  const secret = destinationResource('secret', 'kafka-best-effort', 'x', 't', 'a:1')
  const parameter = [
    ...(secret['parameter'] as object[]),
    { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
    { name: 'saslMechanism', valueString: 'PLAIN' },
    {
      name: 'saslJaasConfig',
      _valueString: {
        extension: [
          {
            url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
            valueCode: 'masked',
          },
          { url: secretReferenceUrl, valueString: 'kafka-login' },
        ],
      },
    },
  ]
  for (const resource of [plain, { ...secret, parameter }]) {
    const reference = `AidboxTopicDestination/${resource.id}`
    await pool.query('insert into resource values ($1, 1, $2)', [reference, resource])
    await addDestination(outbox, resource.id, 'http://example.org/topic/x', 'kafka-best-effort')
    await recordRegistryChange(db, schema, [reference])
  }
  const host = new PgHost(pool)
  const log: LogLine[] = []
  const registry = new Registry({
    db,
    schema,
    host,
    secrets,
    leaseMs: 100,
    secretCheckIntervalMs: 50,
    logger: recordingLogger(log),
  })
  const changes = new EventTarget()
  registry.onChange(() => changes.dispatchEvent(new Event('change')))
  await registry.start()
  stop = () => registry.stop()
  // The registry's own timers keep no process alive.
  const changed = async (): Promise<void> => {
    const deadline = setTimeout(() => assert.fail('nothing changed'), 30_000)
    await once(changes, 'change')
    clearTimeout(deadline)
  }
  return { registry, changed, outbox, log }
}

describe('Registry', () => {
  it('notices that a secret was rotated, removed and is back; what did not change is the same object', async (t) => {
    let password: string | undefined = 'one'
    let timesRead = 0
    const secrets = {
      resolve: () => {
        timesRead++
        if (password !== undefined) return login(password)
        throw new TopicDestinationError('KTD_SECRET', 'The file cannot be read.')
      },
      version: (name: string) => `${name} ${password}`,
    }
    const { registry, changed, log } = await startRegistry(t, secrets)
    const seen = (id: string) => registry.destinations.get(`AidboxTopicDestination/${id}`)
    const parameters = () => seen('secret')?.destination?.parameters.saslJaasConfig
    const plain = seen('plain')
    assert.ok(plain?.destination)
    assert.equal(parameters(), login('one'))
    password = 'two'
    await changed()
    assert.equal(parameters(), login('two'))
    password = undefined
    await changed()
    assert.equal(seen('secret')?.fault, 'The file cannot be read.')
    assert.equal(parameters(), login('two'), 'what worked is kept until there is something new')
    password = 'three'
    await changed()
    assert.equal(parameters(), login('three'))
    assert.equal(seen('secret')?.fault, undefined)
    assert.equal(seen('plain'), plain)
    assert.equal(timesRead, 4, 'once for each version')
    const told = log.filter(({ message }) => /new content of its secrets/.test(message))
    const fields = {
      destination: 'AidboxTopicDestination/secret',
      parameters: ['saslJaasConfig'],
    }
    assert.deepEqual(
      told.map((line) => [line.level, line.fields]),
      [
        ['info', fields],
        ['info', fields],
      ],
    )
    assert.doesNotMatch(JSON.stringify(log), /password/)
  })

  it('refresh resolves with everything committed before it was called, however many call', async (t) => {
    const { registry, outbox } = await startRegistry(t, {
      resolve: () => login('x'),
      version: () => '',
    })
    await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const id = `d${n}`
        const resource = destinationResource(id, 'kafka-best-effort', 'x', 't', 'a:1')
        const reference = `AidboxTopicDestination/${id}`
        await outbox.pool.query('insert into resource values ($1, 1, $2)', [reference, resource])
        await addDestination(outbox, id, 'http://example.org/topic/x', 'kafka-best-effort')
        await recordRegistryChange(outbox.db, outbox.schema, [reference])
        await registry.refresh()
        assert.ok(registry.destinations.get(reference)?.destination, reference)
      }),
    )
  })

  it('says once in the log that a topic which destinations read is retired, and that it is gone', async (t) => {
    const { registry, outbox, log } = await startRegistry(t, {
      resolve: () => login('x'),
      version: () => '',
    })
    const { pool, db, schema } = outbox
    const reference = 'AidboxSubscriptionTopic/x'
    const topic = topicResource('x', { resource: 'Basic' })
    const write = async (status: string): Promise<void> => {
      await pool.query(
        'insert into resource values ($1, 1, $2) on conflict (reference) do update set body = excluded.body',
        [reference, { ...topic, status }],
      )
      await recordRegistryChange(db, schema, [reference])
      await registry.refresh()
    }
    await write('active')
    await write('retired')
    await recordRegistryChange(db, schema, ['AidboxTopicDestination/plain'])
    await registry.refresh()
    await write('active')
    await pool.query('delete from resource where reference = $1', [reference])
    await recordRegistryChange(db, schema, [reference])
    await registry.refresh()
    const url = 'http://example.org/topic/x'
    const none = `There is no topic with the url ${url}; nothing new is selected.`
    const told = log.filter(({ message }) => /a topic that selects nothing/.test(message))
    assert.deepEqual(
      told.map(({ level, fields }) => [level, fields]),
      [none, `The topic ${url} is retired; nothing new is selected.`, none].map((cause) => [
        'warn',
        { topic: url, destinations: 2, cause },
      ]),
    )
  })
})
