import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OperationOutcome, ParametersParameter } from '@medplum/fhirtypes'
import { consumeUntil, newTopic, testKafka } from '../../helpers/kafka.ts'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../../helpers/topic-resources.ts'
import type { FhirClient } from '../../helpers/fhir-client.ts'
import { issuesOf, resource, serveTopics, told, type Told } from './served-topics.ts'

const finals = topicResource('finals', {
  resource: 'Observation',
  fhirPathCriteria:
    "%current.status = 'final' and (%previous.empty() or %previous.status != 'final')",
})

function observation(id: string, status: string, more: object = {}): TestResource {
  return { resourceType: 'Observation', id, status, code: { text: 'x' }, ...more }
}

const integer = (name: string, valueInteger: number): ParametersParameter => ({
  name,
  valueInteger,
})
const time = (name: string, valueDateTime: unknown): ParametersParameter => ({
  name,
  valueDateTime: String(valueDateTime),
})

interface Sample {
  readonly change: { readonly reference: string }
  readonly interaction: string
  readonly error?: string
}

function samplesOf(answer: Told): readonly Sample[] {
  return (answer['sample'] ?? []) as readonly Sample[]
}

const changesOf = (answer: Told): string[] =>
  samplesOf(answer).map(({ change }) => change.reference)

/** Counts without what a machine's speed or the engine decides. */
function counts({ examined, fires, undecided, cut }: Told): Told {
  return { examined, fires, undecided, ...(cut === undefined ? {} : { cut }) }
}

/** A final, an amended, a deleted and a created anew, and others around. */
async function writeHistory(fhir: FhirClient): Promise<void> {
  await fhir.put(observation('a', 'preliminary'))
  await fhir.put(observation('a', 'final'))
  await fhir.put({ resourceType: 'Patient', id: 'p', active: true })
  await fhir.put(observation('a', 'amended'))
  await fhir.put(observation('a', 'final'))
  await fhir.put(observation('a', 'final', { note: [{ text: 'n' }] }))
  await fhir.put(observation('b', 'final'))
  await fhir.ok('DELETE', '/Observation/b')
  await fhir.put(observation('b', 'final'))
}

describe('$dry-run', () => {
  it('a topic that is given, on all that is stored: previous versions, deletions and what came back', async (t) => {
    const { fhir, ask } = await serveTopics(t)
    await writeHistory(fhir)
    const answer = await ask('$dry-run', resource('topic', finals))
    assert.equal(answer.status, 200, answer.text)
    const found = told(answer)
    assert.deepEqual(counts(found), { examined: 8, fires: 4, undecided: 0 })
    assert.deepEqual(
      samplesOf(found).map(({ change, interaction }) => `${interaction} ${change.reference}`),
      [
        'create Observation/b/_history/3',
        'create Observation/b/_history/1',
        'update Observation/a/_history/4',
        'update Observation/a/_history/2',
      ],
    )
    assert.equal(found['topic'], finals['url'])
    assert.equal(found['referencesRead'], 0)
    assert.ok(Number(found['evaluations']) >= 4 && Number(found['steps']) > 20)
    assert.ok(Number(found['elapsedMs']) >= 0)
    assert.ok(String(found['oldest']) <= String(found['newest']))
  })

  it('a stored topic, of deletions and of every type', async (t) => {
    const { fhir, ask } = await serveTopics(t)
    await fhir.put(
      topicResource('all', {
        resource: 'Resource',
        supportedInteraction: ['delete'],
        fhirPathCriteria: "%previous.status = 'final'",
      }),
    )
    await writeHistory(fhir)
    const found = told(await ask('all/$dry-run'))
    assert.deepEqual(counts(found), { examined: 9, fires: 1, undecided: 0 })
    assert.deepEqual(changesOf(found), ['Observation/b/_history/2'])
  })

  it('undecided changes, with their errors, and a warning of the topic', async (t) => {
    const { fhir, ask } = await serveTopics(t)
    const note = (...texts: string[]) => ({ note: texts.map((text) => ({ text })) })
    await fhir.put(observation('a', 'final', note('x')))
    await fhir.put(observation('b', 'final', note('x', 'y')))
    await fhir.put(observation('b', 'final', note('x', 'y', 'z')))
    const answer = await ask(
      '$dry-run',
      resource('topic', {
        ...topicResource('notes', {
          resource: 'Observation',
          fhirPathCriteria: "note.text > 'a' and (status | status).exists()",
        }),
        status: 'draft',
      }),
      integer('samples', 1),
    )
    const found = told(answer)
    assert.deepEqual(counts(found), { examined: 3, fires: 1, undecided: 2 })
    assert.deepEqual(changesOf(found), ['Observation/a/_history/1', 'Observation/b/_history/2'])
    const [first] = found['error'] as readonly { message: string; count: number }[]
    assert.equal(first?.count, 2)
    assert.match(first.message, /several items.*line 1, column \d+/)
    assert.equal(samplesOf(found)[1]?.error, first.message)
    const { issue } = found['outcome'] as OperationOutcome
    assert.match(issue.at(-1)?.details?.text ?? '', /The topic is draft/)
  })

  it('the last changes, a range of time, and going on where it was cut', async (t) => {
    const { fhir, ask } = await serveTopics(t, { dryRunMaxChanges: 3 })
    for (let n = 0; n < 7; n++) await fhir.put(observation(`o${n}`, 'final'))
    const topic = resource('topic', topicResource('all', { resource: 'Observation' }))
    const last = told(await ask('$dry-run', topic, integer('last', 2)))
    assert.deepEqual(counts(last), { examined: 2, fires: 2, undecided: 0 })
    assert.deepEqual(changesOf(last), ['Observation/o6/_history/1', 'Observation/o5/_history/1'])

    const cut = told(await ask('$dry-run', topic, integer('samples', 2)))
    assert.deepEqual(counts(cut), { examined: 3, fires: 3, undecided: 0, cut: 'changes' })
    assert.equal(samplesOf(cut).length, 2)
    assert.match(
      (cut['outcome'] as OperationOutcome).issue[0]?.details?.text ?? '',
      /limit of changes/,
    )
    const seen = new Set<string>()
    let to: unknown
    for (let page = 0; page < 10; page++) {
      const found = told(await ask('$dry-run', topic, ...(page === 0 ? [] : [time('to', to)])))
      for (const change of changesOf(found)) seen.add(change)
      to = found['oldest']
      if (found['cut'] === undefined) break
    }
    assert.ok(seen.has('Observation/o0/_history/1'), [...seen].join())

    const future = told(await ask('$dry-run', topic, time('from', '2999-01-01')))
    assert.deepEqual(counts(future), { examined: 0, fires: 0, undecided: 0 })
    assert.equal(future['newest'], undefined)
    const from = told(await ask('$dry-run', topic, time('from', last['newest'])))
    assert.ok(changesOf(from).includes('Observation/o6/_history/1'))
    const past = told(await ask('$dry-run', topic, time('to', '1999-01-01T00:00:00+02:00')))
    assert.equal(past['examined'], 0)
  })

  it('a date stands for its whole day, a month and a year for theirs, in UTC', async (t) => {
    const { fhir, ask, pool } = await serveTopics(t)
    const times = [
      ...['2025-12-31T23:59:59.999999Z', '2026-01-01T00:00:00Z', '2026-11-24T23:59:59.999999Z'],
      ...['2026-11-25T00:00:00Z', '2026-11-25T23:59:59.999999Z', '2026-11-26T00:00:00Z'],
    ]
    for (const [n, at] of times.entries()) {
      await fhir.put(observation(`o${n}`, 'final'))
      await pool.query(`update fhir_resource_history set last_updated = $2 where id = $1`, [
        `o${n}`,
        at,
      ])
    }
    const topic = resource('topic', topicResource('all', { resource: 'Observation' }))
    for (const [from, to, expected] of [
      ['2026-11-25', '2026-11-25', 'o4 o3'],
      ['2026-11-24', '2026-11-25', 'o4 o3 o2'],
      ['2026-01', '2026-01', 'o1'],
      ['2026', '2026-11', 'o5 o4 o3 o2 o1'],
      ['2025', '2025', 'o0'],
      ['2026-11-25T23:59:59Z', '2026-11-25T23:59:59Z', 'o4'],
      ['2026-11-25T23:59:59.999Z', '2026-11-25T23:59:59.999Z', 'o4'],
      ['2026-11-26T01:00:00+01:00', '2026-11-26T01:00:00+01:00', 'o5'],
    ] as const) {
      const found = told(await ask('$dry-run', topic, time('from', from), time('to', to)))
      const ids = changesOf(found).map((change) => change.split('/')[1])
      assert.equal(ids.join(' '), expected, `${from} to ${to}`)
    }
  })

  it('reads a long history in pages, whatever the types of its rows are', async (t) => {
    const { fhir, ask, pool } = await serveTopics(t, { dryRunTimeoutMs: 60_000 })
    await fhir.put(observation('oldest', 'final'))
    await pool.query(
      `insert into fhir_resource_history (type, id, version_id, last_updated, deleted, content, method, creates)
       select case when n % 500 = 0 then 'Observation' else 'Basic' end, 'n' || n, 1, now() + (n / 4) * interval '1 ms', false,
              json_build_object('resourceType', 'Observation', 'id', 'n' || n, 'status', 'final'), 'PUT', true
         from generate_series(1, 5000) n`,
    )
    const found = told(await ask('$dry-run', resource('topic', finals)))
    assert.deepEqual(counts(found), { examined: 11, fires: 11, undecided: 0 })
    assert.deepEqual(changesOf(found), [
      ...Array.from({ length: 10 }, (_, n) => `Observation/n${5000 - n * 500}/_history/1`),
      'Observation/oldest/_history/1',
    ])
    await pool.query(
      `insert into fhir_resource_history (type, id, version_id, last_updated, deleted, content, method, creates)
       select 'Media', 'm' || n, 1, now(), false,
              json_build_object('resourceType', 'Media', 'id', 'm' || n, 'note', (select string_agg(md5(i::text || n), '') from generate_series(1, 20000) i)), 'PUT', true
         from generate_series(1, 12) n`,
    )
    const large = told(
      await ask('$dry-run', resource('topic', topicResource('large', { resource: 'Media' }))),
    )
    assert.deepEqual(counts(large), { examined: 12, fires: 12, undecided: 0 })
    const all = topicResource('all', { resource: 'Basic' })
    const many = told(await ask('$dry-run', resource('topic', all)))
    assert.deepEqual(counts(many), { examined: 4990, fires: 4990, undecided: 0 })
  })

  it('ends at its time with what it has, says so, and lets the next one in', async (t) => {
    const { fhir, ask, pool } = await serveTopics(t, { dryRunMaxChanges: 1_000_000 })
    await fhir.put(observation('a', 'final'))
    await pool.query(
      `insert into fhir_resource_history (type, id, version_id, last_updated, deleted, content, method, creates)
       select 'Observation', 'n' || n, 1, now(), false,
              json_build_object('resourceType', 'Observation', 'id', 'n' || n, 'status', 'final'), 'PUT', true
         from generate_series(1, 40000) n`,
    )
    const topic = resource('topic', finals)
    // Nobody reads 40,000 versions in a millisecond.
    const cut = told(await ask('$dry-run', topic, integer('timeoutMs', 1)))
    assert.equal(cut['cut'], 'time')
    assert.ok(Number(cut['examined']) < 40_000)
    assert.equal(counts(told(await ask('$dry-run', topic, integer('last', 10))))['examined'], 10)
  })

  it('runs one at a time; another answers 503', async (t) => {
    const { fhir, ask } = await serveTopics(t)
    await fhir.put(observation('a', 'final'))
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask('$dry-run', resource('topic', finals))),
    )
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.includes(200))
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assert.equal(answer.status, 503)
      assert.equal(issuesOf(answer)[0]?.code, 'transient')
      assert.match(answer.text, /Another dry run is under way/)
    }
  })

  it('refuses with 422 that names the element', async (t) => {
    const { ask } = await serveTopics(t, { dryRunMaxChanges: 50, dryRunTimeoutMs: 500 })
    const topic = resource('topic', finals)
    for (const [parameter, name] of [
      [[integer('last', 51)], 'last'],
      [[integer('last', 0)], 'last'],
      [[integer('timeoutMs', 501)], 'timeoutMs'],
      [[integer('samples', 101)], 'samples'],
      [[{ name: 'samples', valueString: 'many' }], 'samples'],
      [[time('from', '26-01-01')], 'from'],
      [[time('to', '2026-02-30')], 'to'],
      [[time('to', '2026-01-01T10:00:00')], 'to'],
      [[time('from', '2026-01-02'), time('to', '2026-01-01')], 'from'],
      [[resource('current', { resourceType: 'Patient' })], undefined],
    ] as const) {
      const answer = await ask('$dry-run', topic, ...parameter)
      assert.equal(answer.status, 422, answer.text)
      assert.deepEqual(
        issuesOf(answer)[0]?.expression,
        [
          name === undefined
            ? 'Parameters.parameter'
            : `Parameters.parameter.where(name = '${name}')`,
        ],
        answer.text,
      )
    }
    assert.equal((await ask('missing/$dry-run')).status, 404)
  })

  it('names exactly what was delivered live', async (t) => {
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers)
    const { fhir, ask } = await serveTopics(t)
    await fhir.put({ resourceType: 'Patient', id: 'f', gender: 'female' })
    await fhir.put({ resourceType: 'Patient', id: 'm', gender: 'male' })
    const topic = topicResource(
      'live',
      {
        resource: 'Observation',
        supportedInteraction: ['create', 'update'],
        fhirPathCriteria:
          "%current.status = 'final' and (%previous.empty() or %previous.status != 'final') and subject.resolve().gender = 'female'",
      },
      { resource: 'Observation', fhirPathCriteria: "note.text > 'q'" },
      {
        resource: 'http://hl7.org/fhir/StructureDefinition/Observation',
        supportedInteraction: ['delete'],
        fhirPathCriteria: "%previous.status = 'preliminary' or %previous.status = 'registered'",
      },
    )
    await fhir.put(topic)
    await fhir.put(
      destinationResource('live', 'kafka-at-least-once', 'live', kafkaTopic, bootstrapServers, {
        includeEntryAction: true,
        includeVersionId: true,
      }),
    )
    let seed = 7
    const pick = <Item>(items: readonly Item[]): Item => {
      seed = (seed * 48_271) % 2_147_483_647
      return items[seed % items.length] as Item
    }
    for (let n = 0; n < 120; n++) {
      const id = pick(['a', 'b', 'c', 'd', 'e'])
      if (pick([0, 1, 2, 3]) === 0)
        await fhir.ok('DELETE', `/Observation/${id}`).catch(() => undefined)
      else {
        const note = pick([[], [{ text: 'a' }], [{ text: 'z' }], [{ text: 'a' }, { text: 'z' }]])
        await fhir.put(
          observation(id, pick(['registered', 'preliminary', 'final', 'amended']), {
            subject: { reference: `Patient/${pick(['f', 'm', 'missing'])}` },
            ...(note.length > 0 ? { note } : {}),
          }),
        )
      }
    }
    const found = told(await ask('live/$dry-run'))
    const fired = samplesOf(found).filter(({ error }) => error === undefined)
    assert.equal(fired.length, found['fires'])
    assert.ok(fired.length > 10 && Number(found['undecided']) > 0, JSON.stringify(counts(found)))
    const records = await consumeUntil(
      bootstrapServers,
      kafkaTopic,
      ({ length }) => length >= fired.length,
    )
    const delivered = records.map(({ value }) => deliveredChange(value ?? ''))
    assert.deepEqual(
      delivered,
      fired.map(({ change, interaction }) => `${interaction} ${change.reference}`).toReversed(),
    )
    const status = await fhir.untilStatus('live', ({ count }) => count('messagesQueued') === 0)
    assert.equal(status.count('messagesDelivered'), fired.length)
    assert.equal(status.count('messagesUndecided'), found['undecided'])
  })
})

function deliveredChange(value: string): string {
  const { entry } = JSON.parse(value) as {
    entry: {
      resource?: { notificationEvent?: { focus: { reference: string } }[] }
      extension?: { url: string; valueCode?: string; valueId?: string }[]
    }[]
  }
  const [status, focus] = entry
  const flag = (suffix: string) => focus?.extension?.find(({ url }) => url.endsWith(suffix))
  const reference = status?.resource?.notificationEvent?.[0]?.focus.reference ?? ''
  return `${flag('entryActionCode')?.valueCode} ${reference}/_history/${flag('entryVersionId')?.valueId}`
}
