import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OperationOutcomeError, parseSearchRequest } from '@medplum/core'
import type { Bundle, Patient } from '@medplum/fhirtypes'
import knex from 'knex'
import type { Change, CommitHooks, CommitUnit, SqlTx } from '../../../src/host/types.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import { indexResourceType } from '../../../src/rest/index-resource-type.ts'
import {
  KnexRepository,
  type RepositoryContext,
} from '../../../src/server/storage/knex-repository.ts'
import { statusOf } from '../../../src/rest/outcomes.ts'
import type { Patch } from '../../../src/rest/patch/patch.ts'
import { asJson } from '../../../src/rest/resource-shapes.ts'
import { migrateServer } from '../../../src/server/storage/schema.ts'
import { loadR4Definitions } from '../../../src/server/storage/validation.ts'
import { testDatabase, type CleanUp } from '../../helpers/postgres.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'

interface Fixture {
  readonly context: RepositoryContext
  readonly committed: Change[]
  readonly life: string[]
  /** Replaced by tests that want to veto or to disturb. */
  beforeCommit: (tx: SqlTx, unit: CommitUnit) => Promise<void>
  repository(): KnexRepository
}

async function fixture(t: CleanUp): Promise<Fixture> {
  await loadR4Definitions()
  const { connectionString } = await testDatabase(t)
  const database = knex({ client: 'pg', connection: connectionString, pool: { min: 0, max: 20 } })
  t.after?.(() => database.destroy())
  await migrateServer(database)
  const committed: Change[] = []
  const life: string[] = []
  const hooks: CommitHooks = {
    async beforeCommit(unit, tx) {
      life.push('before')
      assert.ok(tx)
      await made.beforeCommit(tx, unit)
    },
    afterCommit: (unit) => {
      life.push('after')
      committed.push(...unit.changes)
      return Promise.resolve()
    },
    afterRollback: () => life.push('rollback'),
  }
  const context: RepositoryContext = { knex: database, hooks: [hooks], types: new Map() }
  const caller = { clientBaseUrl: 'http://localhost/fhir', correlationId: 'c-1' }
  const made: Fixture = {
    context,
    committed,
    life,
    beforeCommit: () => Promise.resolve(),
    repository: () => new KnexRepository(context, caller),
  }
  return made
}

const patient = (more: object = {}): Patient => ({
  resourceType: 'Patient',
  name: [{ family: 'Doe', given: ['Jane', 'Ann'] }],
  ...more,
})

async function rejects(promise: Promise<unknown>, status: number): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof OperationOutcomeError, String(error))
    assert.equal(statusOf(error.outcome), status, JSON.stringify(error.outcome))
    return true
  })
}

const interactions = (changes: readonly Change[]) =>
  changes.map(({ interaction, versionId }) => `${interaction} ${versionId}`)

async function countRows({ context }: Fixture): Promise<number> {
  const counted = await context.knex.raw<{ rows: { n: number }[] }>(
    'select count(*)::int as n from fhir_resource',
  )
  return counted.rows[0]?.n ?? -1
}

it('the schema may be migrated by many nodes at once, and again', async (t) => {
  const { connectionString } = await testDatabase(t)
  const database = knex({ client: 'pg', connection: connectionString })
  t.after(() => database.destroy())
  await Promise.all(Array.from({ length: 8 }, async () => migrateServer(database)))
  await migrateServer(database)
})

it('a node that starts waits for no transaction of the others', async (t) => {
  const { connectionString } = await testDatabase(t)
  const database = knex({ client: 'pg', connection: connectionString })
  await migrateServer(database)
  const open = await database.transaction()
  t.after(async () => {
    await open.rollback()
    await database.destroy()
  })
  for (const table of ['fhir_resource', 'fhir_resource_history', 'fhir_search_term']) {
    await open.raw(`delete from ${table}`)
  }
  const connection = { connectionString, options: '-c lock_timeout=2s' }
  const starting = knex({ client: 'pg', connection })
  t.after(() => starting.destroy())
  await migrateServer(starting)
})

describe('versions', () => {
  it('create, update, no-op, delete, re-create: versions, changes and history', async (t) => {
    const tested = await fixture(t)
    const repository = tested.repository()
    const created = await repository.createResource(patient({ id: 'ignored' }))
    assert.notEqual(created.id, 'ignored')
    const { id } = created
    assert.equal(created.meta?.versionId, '1')
    const updated = await repository.updateResource({ ...created, gender: 'female' })
    const same = await repository.updateResource({ gender: 'female', ...patient(), id, meta: {} })
    assert.deepEqual(same, updated)
    await repository.deleteResource('Patient', id)
    await repository.deleteResource('Patient', id)
    await rejects(repository.readResource('Patient', id), 410)
    const { isCreated } = await repository.resources.update({ ...asJson(patient()), id })
    assert.equal(isCreated, true)
    assert.deepEqual(interactions(tested.committed), [
      'create 1',
      'update 2',
      'delete 3',
      'create 4',
    ])

    const [create, update, remove, recreate] = tested.committed
    assert.equal(create?.previous, undefined)
    assert.equal(create?.correlationId, 'c-1')
    assert.deepEqual(update?.previous, created)
    assert.deepEqual(update.current, updated)
    assert.equal(update.currentJson, JSON.stringify(updated))
    assert.deepEqual([remove?.current, remove?.currentJson], [undefined, undefined])
    assert.deepEqual(remove?.previous, updated)
    assert.equal(recreate?.previous, undefined)

    assert.deepEqual(await repository.readVersion('Patient', id, '1'), created)
    await rejects(repository.readVersion('Patient', id, '3'), 410)
    for (const vid of ['0', '9', 'x', '99999999999']) {
      await rejects(repository.readVersion('Patient', id, vid), 404)
    }
    const history = await repository.readHistory('Patient', id)
    assert.deepEqual(
      history.entry?.map(({ request, response }) => [request?.method, response?.status]),
      [
        ['PUT', '201'],
        ['DELETE', '204'],
        ['PUT', '200'],
        ['POST', '201'],
      ],
    )
    assert.equal(history.entry[1]?.resource, undefined)
    const page = await repository.readHistory('Patient', id, { limit: 2, offset: 1 })
    assert.deepEqual([page.total, page.entry?.length, page.link?.length], [4, 2, 2])
    await rejects(repository.readHistory('Patient', 'never'), 404)
    await rejects(repository.readHistory('Patient', id, { limit: Number.NaN }), 400)
    await rejects(repository.deleteResource('Patient', 'never'), 404)
  })

  it('keep the order of keys', async (t) => {
    const repository = (await fixture(t)).repository()
    const sent = {
      resourceType: 'Patient',
      id: 'keys',
      gender: 'male',
      active: true,
      birthDate: '2000',
    }
    await repository.updateResource(sent as Patient & { id: string })
    const read = await repository.readResource('Patient', 'keys')
    assert.deepEqual(
      Object.keys(read).filter((key) => key !== 'meta'),
      Object.keys(sent),
    )
  })

  it('of concurrent updates are 1 to n, recorded in that order', async (t) => {
    const tested = await fixture(t)
    await tested.context.knex.raw('create table seen (no serial, version int)')
    tested.beforeCommit = async (tx, { changes }) => {
      await tx.query('insert into seen (version) values ($1)', [Number(changes[0]?.versionId)])
    }
    const { id } = await tested.repository().createResource(patient())
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) =>
        tested.repository().updateResource({ ...patient({ birthDate: `20${n + 10}` }), id }),
      ),
    )
    const { rows } = await tested.context.knex.raw<{ rows: { version: number }[] }>(
      'select version from seen order by no',
    )
    assert.deepEqual(
      rows.map(({ version }) => version),
      Array.from({ length: 21 }, (_, n) => n + 1),
    )
    for (const { current, previous } of tested.committed) {
      if (!previous) continue
      assert.equal(Number(current?.meta?.versionId), Number(previous.meta?.versionId) + 1)
    }
  })

  it('If-Match refuses every write of another version', async (t) => {
    const repository = (await fixture(t)).repository()
    const created = await repository.createResource(patient())
    const { id } = created
    const options = { ifMatch: '2' }
    await rejects(repository.updateResource({ ...created, gender: 'male' }, options), 412)
    await rejects(repository.patchResource('Patient', id, { gender: 'male' }, options), 412)
    await rejects(repository.deleteResource('Patient', id, options), 412)
    await rejects(repository.updateResource({ ...patient(), id: 'new' }, { ifMatch: '1' }), 412)
    const updated = await repository.updateResource(
      { ...created, gender: 'male' },
      { ifMatch: '1' },
    )
    assert.equal(updated.meta?.versionId, '2')
    await repository.deleteResource('Patient', id, options)
  })

  it('what is not valid is refused, and nothing is stored', async (t) => {
    const tested = await fixture(t)
    const bad: object = { resourceType: 'Patient', id: 'bad', colour: 'red', contained: ['x'] }
    await rejects(tested.repository().createResource(bad as Patient), 400)
    await rejects(tested.repository().updateResource(bad as Patient), 400)
    await rejects(tested.repository().updateResource({ ...patient(), id: 'a/b' }), 400)
    assert.equal(await countRows(tested), 0)
  })
})

describe('transactions', () => {
  it('a veto of a hook rolls everything back', async (t) => {
    const tested = await fixture(t)
    const veto = new Error('veto')
    tested.beforeCommit = () => Promise.reject(veto)
    await assert.rejects(tested.repository().createResource(patient()), veto)
    assert.deepEqual(tested.life, ['before', 'rollback'])
    assert.equal(await countRows(tested), 0)
  })

  it('all writes of one transaction are one unit, also through the object itself', async (t) => {
    const tested = await fixture(t)
    const repository = tested.repository()
    await repository.withTransaction(async (inner) => {
      const { id } = await inner.createResource(patient())
      await repository.updateResource({ ...patient({ gender: 'male' }), id })
      await repository.deleteResource('Patient', id)
    })
    assert.deepEqual(interactions(tested.committed), ['create 1', 'update 2', 'delete 3'])
    assert.deepEqual(tested.life, ['before', 'after'])
  })

  it('a nested transaction that fails is undone alone', async (t) => {
    const tested = await fixture(t)
    const repository = tested.repository()
    await repository.withTransaction(async () => {
      await repository.createResource(patient({ id: 'kept' }), { assignedId: true })
      const lost = repository.withTransaction(async () => {
        await repository.createResource(patient({ id: 'lost' }), { assignedId: true })
        throw new Error('lost')
      })
      await assert.rejects(lost, /lost/)
      await repository.withTransaction(async () =>
        repository.createResource(patient({ id: 'nested' }), { assignedId: true }),
      )
    })
    assert.deepEqual(
      tested.committed.map(({ id }) => id),
      ['kept', 'nested'],
    )
    assert.equal(await countRows(tested), 2)
  })

  it('a swallowed SQL error cannot end in a false commit', async (t) => {
    const tested = await fixture(t)
    const repository = tested.repository()
    const transaction = repository.withTransaction(async () => {
      await repository.createResource(patient())
      await repository.search(parseSearchRequest('Patient?family=\0')).catch(() => undefined)
    })
    await assert.rejects(transaction)
    assert.deepEqual(tested.life.at(-1), 'rollback')
    assert.equal(await countRows(tested), 0)
  })

  it('a serialization failure is repeated under another unit', async (t) => {
    const tested = await fixture(t)
    let failures = 2
    tested.beforeCommit = async (tx) => {
      if (failures-- > 0) await tx.query("do $$ begin raise sqlstate '40001'; end $$")
    }
    await tested.repository().createResource(patient())
    assert.deepEqual(tested.life, ['before', 'rollback', 'before', 'rollback', 'before', 'after'])
    assert.equal(tested.committed.length, 1)
    assert.equal(await countRows(tested), 1)
  })

  it('deadlocks of transactions in opposite order end well', async (t) => {
    const tested = await fixture(t)
    const ids = ['a', 'b']
    for (const id of ids) await tested.repository().updateResource({ ...patient(), id })
    await Promise.all(
      [...Array(6).keys()].map(async (n) => {
        const repository = tested.repository()
        await repository.withTransaction(async () => {
          for (const id of n % 2 === 0 ? ids : ids.toReversed()) {
            await repository.updateResource({ ...patient({ birthDate: `200${n}` }), id })
          }
        })
      }),
    )
    assert.equal(tested.committed.length, 14)
  })

  it('racing creates of one id: one wins', async (t) => {
    const tested = await fixture(t)
    const puts = Array.from({ length: 8 }, async (_, n) => {
      const resource = { ...asJson(patient({ birthDate: `200${n}` })), id: 'x' }
      const { isCreated } = await tested.repository().resources.update(resource)
      return isCreated
    })
    assert.equal((await Promise.all(puts)).filter(Boolean).length, 1)
    const posts = await Promise.allSettled(
      Array.from({ length: 8 }, async () =>
        tested.repository().createResource(patient({ id: 'y' }), { assignedId: true }),
      ),
    )
    assert.equal(posts.filter(({ status }) => status === 'fulfilled').length, 1)
  })
})

describe('conditional writes', () => {
  const identified = () => patient({ identifier: [{ system: 'urn:test', value: 'one' }] })
  const search = () => parseSearchRequest<Patient>('Patient?identifier=urn:test|one')

  for (const isNested of [false, true]) {
    it(`racing creates create one${isNested ? ', also inside other transactions' : ''}`, async (t) => {
      const tested = await fixture(t)
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, async () => {
          const repository = tested.repository()
          const create = async () => repository.conditionalCreate(identified(), search())
          const { outcome } = await (isNested ? repository.withTransaction(create) : create())
          return outcome.id
        }),
      )
      assert.equal(outcomes.filter((id) => id === 'created').length, 1, outcomes.join())
      assert.equal(tested.committed.length, 1)
      assert.equal(await countRows(tested), 1)
    })
  }

  it('of many different resources at once are all done', async (t) => {
    const tested = await fixture(t)
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) =>
        tested
          .repository()
          .conditionalCreate(
            patient(),
            parseSearchRequest<Patient>(`Patient?identifier=urn:n|${n}`),
          ),
      ),
    )
    assert.equal(tested.committed.length, 100)
  })

  it('racing updates, patches and deletes are all applied', async (t) => {
    const tested = await fixture(t)
    await tested.repository().createResource(identified())
    await Promise.all([
      ...Array.from({ length: 4 }, async (_, n) =>
        tested.repository().conditionalUpdate({ ...identified(), birthDate: `200${n}` }, search()),
      ),
      ...Array.from({ length: 4 }, async (_, n) =>
        tested
          .repository()
          .conditionalPatch(search(), [{ op: 'add', path: '/birthDate', value: `201${n}` }]),
      ),
    ])
    assert.equal(tested.committed.length, 9)
    await tested.repository().conditionalDelete(search())
    await tested.repository().conditionalDelete(search())
    assert.equal(tested.committed.length, 10)
  })
})

describe('types of modules', () => {
  it('keep the id of a POST, answer 404 when deleted, mask in answers and not in changes', async (t) => {
    const tested = await fixture(t)
    const type = topicDestinationType({ secrets: loadSecretSource(), plainSecrets: 'mask' })
    indexResourceType(type)
    tested.context.types.set('AidboxTopicDestination', type)
    const repository = tested.repository()
    const base = destinationResource('d', 'kafka-best-effort', 'any', 'events', 'localhost:9092')
    const jaas =
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="canary-7";'
    // To the repository's types, those of R4, this resource is none.
    const resource = {
      ...base,
      parameter: [
        ...(base['parameter'] as object[]),
        { name: 'saslJaasConfig', valueString: jaas },
        { name: 'saslMechanism', valueString: 'PLAIN' },
        { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
      ],
    } as unknown as Patient
    const created = await repository.createResource(resource)
    assert.equal(created.id, 'd')
    await rejects(repository.createResource(resource), 409)
    await rejects(repository.createResource({ ...resource, id: 'a/b' }), 400)
    const answers = [
      created,
      await repository.readResource('AidboxTopicDestination', 'd'),
      await repository.readVersion('AidboxTopicDestination', 'd', '1'),
      await repository.readHistory('AidboxTopicDestination', 'd'),
      await repository.search(parseSearchRequest('AidboxTopicDestination?_id=d')),
    ]
    for (const answer of answers) {
      assert.match(JSON.stringify(answer), /saslJaasConfig/)
      assert.doesNotMatch(JSON.stringify(answer), /canary-7/)
    }
    assert.match(tested.committed[0]?.currentJson ?? '', /canary-7/)
    // What is repeated makes no version, and is told to modules.
    await repository.updateResource(created)
    const refused: object = { ...resource, id: 'e', kind: 'nothing' }
    await rejects(repository.createResource(refused as Patient), 422)
    await repository.deleteResource('AidboxTopicDestination', 'd')
    await repository.deleteResource('AidboxTopicDestination', 'd')
    await rejects(repository.readResource('AidboxTopicDestination', 'd'), 404)
    assert.equal((await repository.createResource(resource)).meta?.versionId, '3')
    assert.deepEqual(interactions(tested.committed), [
      'create 1',
      'update 1',
      'delete 2',
      'delete 2',
      'create 3',
    ])
  })
})

describe('patches', () => {
  const part = (name: string, value: object) => ({ name, ...value })
  const fhirPath = (type: string, path: string, ...parts: object[]): Patch => ({
    resourceType: 'Parameters',
    parameter: [
      {
        name: 'operation',
        part: [part('type', { valueCode: type }), part('path', { valueString: path }), ...parts],
      },
    ],
  })
  const name = (text: string) => part('name', { valueString: text })
  const at = (what: string, index: number) => part(what, { valueInteger: index })
  const string = (text: string) => part('value', { valueString: text })

  const before = patient({
    deceasedBoolean: false,
    contact: [{ name: { family: 'Contact' } }],
    identifier: [
      { system: 'urn:a', value: '1' },
      { system: 'urn:b', value: '2' },
    ],
    _birthDate: { extension: [{ url: 'urn:x', valueString: 'x' }] },
    birthDate: '2000',
  })
  const applied: readonly [string, Patch, object][] = [
    ['JSON add', [{ op: 'add', path: '/gender', value: 'male' }], { gender: 'male' }],
    ['JSON remove', [{ op: 'remove', path: '/contact' }], { contact: undefined }],
    [
      'JSON test and replace',
      [
        { op: 'test', path: '/birthDate', value: '2000' },
        { op: 'replace', path: '/birthDate', value: '2001' },
      ],
      { birthDate: '2001' },
    ],
    ['merge', { gender: 'male', contact: null }, { gender: 'male', contact: undefined }],
    [
      'FHIRPath add',
      fhirPath('add', 'Patient', name('gender'), string('male')),
      { gender: 'male' },
    ],
    [
      'FHIRPath add to a list',
      fhirPath('add', 'Patient.contact[0].name', name('given'), string('A')),
      { contact: [{ name: { family: 'Contact', given: ['A'] } }] },
    ],
    [
      'FHIRPath add of an anonymous type',
      fhirPath('add', 'Patient', name('contact'), {
        name: 'value',
        part: [{ name: 'name', valueHumanName: { family: 'B' } }],
      }),
      { contact: [{ name: { family: 'Contact' } }, { name: { family: 'B' } }] },
    ],
    [
      'FHIRPath insert',
      fhirPath('insert', 'Patient.name[0].given', at('index', 1), string('M')),
      { name: [{ family: 'Doe', given: ['Jane', 'M', 'Ann'] }] },
    ],
    [
      'FHIRPath delete',
      fhirPath('delete', "Patient.identifier.where(system = 'urn:a')"),
      { identifier: [{ system: 'urn:b', value: '2' }] },
    ],
    [
      'FHIRPath delete of a primitive with its extensions',
      fhirPath('delete', 'Patient.birthDate'),
      { birthDate: undefined, _birthDate: undefined },
    ],
    ['FHIRPath delete of nothing', fhirPath('delete', 'Patient.photo'), {}],
    [
      'FHIRPath replace',
      fhirPath('replace', "Patient.identifier.where(system = 'urn:a').value", string('9')),
      {
        identifier: [
          { system: 'urn:a', value: '9' },
          { system: 'urn:b', value: '2' },
        ],
      },
    ],
    [
      'FHIRPath replace of a choice by another type',
      fhirPath('replace', 'Patient.deceased', part('value', { valueDateTime: '2020' })),
      { deceasedBoolean: undefined, deceasedDateTime: '2020' },
    ],
    [
      'FHIRPath replace below a primitive',
      fhirPath('replace', 'Patient.birthDate.extension.value', string('y')),
      { _birthDate: { extension: [{ url: 'urn:x', valueString: 'y' }] } },
    ],
    [
      'FHIRPath move',
      fhirPath('move', 'Patient.identifier', at('source', 0), at('destination', 1)),
      {
        identifier: [
          { system: 'urn:b', value: '2' },
          { system: 'urn:a', value: '1' },
        ],
      },
    ],
  ]
  const refused: readonly [string, unknown, number][] = [
    ['JSON of an unknown op', [{ op: 'become', path: '/gender', value: 1 }], 400],
    ['JSON without value', [{ op: 'add', path: '/gender' }], 400],
    ['JSON of no operation', [null], 400],
    ['JSON into prototypes', [{ op: 'add', path: '/__proto__/x', value: 1 }], 400],
    ['JSON of what is not there', [{ op: 'remove', path: '/photo' }], 422],
    ['JSON with a failing test', [{ op: 'test', path: '/birthDate', value: '1' }], 422],
    ['JSON that leaves no resource', [{ op: 'replace', path: '', value: 3 }], 422],
    ['JSON of the id', [{ op: 'replace', path: '/id', value: 'other' }], 400],
    ['JSON that is not valid then', [{ op: 'add', path: '/colour', value: 'red' }], 400],
    ['merge of the type', { resourceType: 'Basic' }, 400],
    ['merge that is not valid then', { colour: 'red' }, 400],
    ['FHIRPath of no operation', { resourceType: 'Parameters', parameter: [3] }, 400],
    ['FHIRPath of an unknown type', fhirPath('become', 'Patient.name'), 400],
    ['FHIRPath that is none', fhirPath('delete', 'Patient..name'), 400],
    ['FHIRPath that computes', fhirPath('delete', "'a' & 'b'"), 400],
    ['FHIRPath of several', fhirPath('delete', 'Patient.identifier'), 422],
    ['FHIRPath of what is there', fhirPath('add', 'Patient', name('birthDate'), string('1')), 422],
    ['FHIRPath of no child', fhirPath('add', 'Patient', name('colour'), string('red')), 422],
    ['FHIRPath of the resource', fhirPath('delete', 'Patient'), 422],
    [
      'FHIRPath outside',
      fhirPath('insert', 'Patient.identifier', at('index', 3), string('1')),
      422,
    ],
  ]

  it('of all three forms are applied as updates, or refused as a whole', async (t) => {
    const tested = await fixture(t)
    const repository = tested.repository()
    for (const [what, patch, expected] of applied) {
      const created = await repository.createResource(before)
      const { meta, ...patched } = await repository.patchResource('Patient', created.id, patch)
      const wanted = { ...before, id: created.id, ...expected }
      assert.deepEqual(patched, JSON.parse(JSON.stringify(wanted)), what)
      const isChange = Object.keys(expected).length > 0
      assert.equal(meta?.versionId, isChange ? '2' : '1', what)
    }
    const { id } = await repository.createResource(before)
    const count = tested.committed.length
    for (const [what, patch, status] of refused) {
      t.diagnostic(what)
      await rejects(repository.patchResource('Patient', id, patch as Patch), status)
    }
    assert.equal(tested.committed.length, count)
    await rejects(repository.patchResource('Patient', 'never', []), 404)
  })

  it('of a module type start from what is stored, not from what is answered', async (t) => {
    const tested = await fixture(t)
    const type = topicDestinationType({ secrets: loadSecretSource(), plainSecrets: 'mask' })
    indexResourceType(type)
    tested.context.types.set('AidboxTopicDestination', type)
    const repository = tested.repository()
    const resource: object = destinationResource(
      'p',
      'kafka-best-effort',
      'any',
      'events',
      'h:9092',
    )
    await repository.createResource(resource as Patient)
    const path = "AidboxTopicDestination.parameter.where(name = 'kafkaTopic').value"
    const patched: object = await repository.patchResource(
      'AidboxTopicDestination' as 'Patient',
      'p',
      fhirPath('replace', path, string('other')),
    )
    const { parameter } = patched as { parameter: object[] }
    assert.deepEqual(parameter[0], { name: 'kafkaTopic', valueString: 'other' })
  })
})

describe('references', () => {
  it('are read alone and together', async (t) => {
    const repository = (await fixture(t)).repository()
    const { id } = await repository.createResource(patient())
    const reference = `Patient/${id}`
    assert.equal((await repository.readReference<Patient>({ reference })).id, id)
    await rejects(repository.readReference({ reference: 'urn:uuid:1' }), 400)
    const [found, missing] = await repository.readReferences<Patient>([
      { reference },
      { reference: 'Patient/none' },
    ])
    assert.equal((found as Patient).id, id)
    assert.ok(missing instanceof OperationOutcomeError)
    await repository.createResource({
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      subject: { reference },
    })
    const request = parseSearchRequest('Observation')
    const groups = await repository.searchByReference(request, 'subject', [reference, 'Patient/no'])
    assert.deepEqual([groups[reference]?.length, groups['Patient/no']?.length], [1, 0])
    const bundle: Bundle = await repository.search(parseSearchRequest('Patient'))
    assert.equal(bundle.entry?.length, 1)
  })
})
