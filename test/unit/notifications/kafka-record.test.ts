import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import type { Interaction } from '../../../src/host/types.ts'
import { kafkaRecord } from '../../../src/notifications/kafka-record.ts'
import {
  notificationBundle,
  type NotificationEvent,
  type NotificationTarget,
} from '../../../src/notifications/notification-bundle.ts'

interface Golden {
  event: Omit<NotificationEvent, 'at' | 'interaction'> & { at: string }
  target: Pick<NotificationTarget, 'reference' | 'kafkaTopic'>
  baseUrl: string
  records: {
    interaction: Interaction
    target: Omit<NotificationTarget, 'reference' | 'kafkaTopic'>
    key: string | null
    value: string
  }[]
}

const golden = JSON.parse(
  await readFile(new URL('../../../fixtures/notifications/records.json', import.meta.url), 'utf8'),
) as Golden
const { baseUrl } = golden
const options = { baseUrl, cloudEventsHeaders: true }

function eventOf(interaction: Interaction): NotificationEvent {
  const { body, at, ...rest } = golden.event
  return { ...rest, interaction, at: new Date(at), body: interaction === 'delete' ? null : body }
}

const plainTarget: NotificationTarget = {
  ...golden.target,
  content: 'full-resource',
  keyByResourceId: true,
  includeEntryAction: false,
  includeVersionId: false,
  includeVersionIdInFocusReference: false,
}

describe('kafkaRecord', () => {
  it('has a golden record for each content, interaction and combination of flags', () => {
    const combinations = golden.records.map(({ interaction, target }) =>
      JSON.stringify([interaction, ...Object.values(target)]),
    )
    assert.equal(new Set(combinations).size, 3 * 3 * 2 ** 4)
  })

  for (const { interaction, target, key, value } of golden.records) {
    it(`${interaction} with ${JSON.stringify(target)}`, () => {
      const record = kafkaRecord(eventOf(interaction), { ...golden.target, ...target }, options)
      assert.equal(record.value.toString(), value)
      assert.equal(record.key, key)
      assert.equal(record.kafkaTopic, 'questionnaire-responses')
    })
  }

  it('gives the same bytes and headers when it is delivered again', () => {
    const first = kafkaRecord(eventOf('update'), plainTarget, options)
    const second = kafkaRecord(eventOf('update'), plainTarget, options)
    assert.deepEqual(second, first)
  })

  it('carries CloudEvents headers in binary mode', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const record = kafkaRecord({ ...eventOf('update'), traceparent }, plainTarget, options)
    assert.deepEqual(record.headers, [
      { ce_specversion: '1.0' },
      { ce_id: 'AidboxTopicDestination/kafka-destination/90017' },
      { ce_type: 'fhir.QuestionnaireResponse.update' },
      { ce_source: 'http://server/fhir' },
      { ce_subject: 'QuestionnaireResponse/458e' },
      { ce_time: '2024-10-03T10:07:55Z' },
      { 'content-type': 'application/fhir+json' },
      { traceparent },
      { 'x-topic-correlation-id': 'order-4711' },
    ])
  })

  it('leaves content type, trace and correlation id when CloudEvents headers are off', () => {
    const event = { ...eventOf('update'), traceparent: '00-a-b-01' }
    const { headers } = kafkaRecord(event, plainTarget, { baseUrl, cloudEventsHeaders: false })
    assert.deepEqual(
      headers.flatMap((header) => Object.keys(header)),
      ['content-type', 'traceparent', 'x-topic-correlation-id'],
    )
  })

  it('leaves out trace and correlation id that the request did not have', () => {
    const { correlationId: _absent, ...event } = eventOf('create')
    const { headers, value } = kafkaRecord(event, plainTarget, options)
    const names = headers.flatMap((header) => Object.keys(header))
    assert.ok(!names.some((name) => name === 'traceparent' || name.includes('correlation')))
    assert.ok(!value.toString().includes('correlationId'))
  })
})

describe('notificationBundle', () => {
  it('escapes what comes from outside', () => {
    const hostile = 'a"b\\c\n\u2028</script>'
    const target = { ...plainTarget, reference: hostile }
    const text = notificationBundle(
      { ...eventOf('create'), topicUrl: hostile, correlationId: hostile },
      target,
      baseUrl,
    )
    const bundle = JSON.parse(text) as { entry: [{ resource: Record<string, unknown> }] }
    const status = bundle.entry[0].resource
    assert.equal(status['topic'], hostile)
    assert.deepEqual(status['topic-destination'], { reference: hostile })
    assert.deepEqual(status['notificationEvent'], [
      {
        eventNumber: 7,
        focus: { reference: 'QuestionnaireResponse/458e' },
        correlationId: hostile,
      },
    ])
  })

  it('puts the stored text in byte by byte', () => {
    const body = '{ "resourceType":"Patient",\n "id":"1", "n": 1.10 }'
    assert.ok(
      notificationBundle({ ...eventOf('create'), body }, plainTarget, baseUrl).includes(body),
    )
  })

  it('leaves the version out where the server has none', () => {
    const { versionId: _absent, ...event } = eventOf('update')
    const target = {
      ...plainTarget,
      includeVersionId: true,
      includeVersionIdInFocusReference: true,
    }
    const text = notificationBundle(event, target, baseUrl)
    assert.ok(text.includes('{"reference":"QuestionnaireResponse/458e"}'))
    assert.ok(!text.includes('bundle-entryVersionId'))
  })

  for (const [base, url] of [
    ['https://fhir.example.org', '/QuestionnaireResponse/458e'],
    ['https://fhir.example.org/', '/QuestionnaireResponse/458e'],
    ['https://example.org/a/fhir/', '/a/fhir/QuestionnaireResponse/458e'],
  ] as const) {
    it(`takes the request's path from ${base}`, () => {
      const bundle = JSON.parse(notificationBundle(eventOf('update'), plainTarget, base)) as {
        entry: [unknown, { fullUrl: string; request: { url: string } }]
      }
      assert.equal(bundle.entry[1].request.url, url)
      assert.equal(bundle.entry[1].fullUrl, `${base.replace(/\/$/, '')}/QuestionnaireResponse/458e`)
    })
  }
})
