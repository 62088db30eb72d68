import assert from 'node:assert/strict'
import { newTopic } from '../helpers/kafka.ts'
import type { ContractServer } from './contract-server.ts'
import { readNotifications, type Notification } from './notification.ts'
import type { notificationRows } from './notification-rows.ts'
import { once } from './once.ts'
import type { RowTest } from './row-test.ts'

const interactions = ['create', 'update', 'delete'] as const
const modes = ['full-resource', 'id-only', 'empty'] as const
const yesOrNo = [false, true] as const
const extensionUrl = 'http://health-samurai.io/fhir/core/StructureDefinition/bundle-entry'

interface Form {
  readonly content: (typeof modes)[number]
  readonly includeEntryAction: boolean
  readonly includeVersionId: boolean
  readonly includeVersionIdInFocusReference: boolean
}

const forms: readonly Form[] = modes.flatMap((content) =>
  yesOrNo.flatMap((includeEntryAction) =>
    yesOrNo.flatMap((includeVersionId) =>
      yesOrNo.map((includeVersionIdInFocusReference) => ({
        content,
        includeEntryAction,
        includeVersionId,
        includeVersionIdInFocusReference,
      })),
    ),
  ),
)

type Version = Readonly<Record<string, unknown>> & { readonly meta: { readonly versionId: string } }

/** A Patient that was created, updated and deleted, and what each form of destination sent of it. */
interface Life {
  readonly id: string
  readonly topicUrl: unknown
  readonly created: Version
  readonly updated: Version
  /** Notifications of create, update and delete. */
  readonly of: (form: Partial<Form>) => readonly Notification[]
  /** The same of an at-least-once and a best-effort destination with nothing but what is required. */
  readonly plain: Readonly<Record<'atLeastOnce' | 'bestEffort', readonly Notification[]>>
  readonly plainId: string
}

const oneLife = once(async (contract: ContractServer): Promise<Life> => {
  const { fhir, kafka } = contract
  const kafkaTopic = await newTopic(kafka.bootstrapServers)
  const topic = contract.topic({ resource: 'Patient' })
  const formed = forms.map((form) => ({
    form,
    destination: contract.destination(topic, kafkaTopic, { kind: 'kafka-best-effort', ...form }),
  }))
  const bestEffort = contract.destination(topic, kafkaTopic, { kind: 'kafka-best-effort' })
  const atLeastOnce = contract.destination(topic, kafkaTopic)
  await contract.create(
    topic,
    ...formed.map(({ destination }) => destination),
    bestEffort,
    atLeastOnce,
  )
  const created = (await fhir.ok('POST', '/Patient', {
    resourceType: 'Patient',
    name: [{ family: 'Größe "quoted"' }],
  })) as Version
  const id = String(created['id'])
  const updated = (await fhir.ok('PUT', `/Patient/${id}`, { ...created, active: true })) as Version
  await fhir.ok('DELETE', `/Patient/${id}`)
  const all = await readNotifications(kafka.bootstrapServers, kafkaTopic, 3 * (forms.length + 2))
  const from = (destinationId: string) => {
    const reference = `AidboxTopicDestination/${destinationId}`
    const own = all.filter(
      ({ status }) =>
        (status['topic-destination'] as { reference: string }).reference === reference,
    )
    assert.equal(own.length, 3)
    return own
  }
  return {
    id,
    topicUrl: topic['url'],
    created,
    updated,
    of: (wanted) => {
      const whole: Form = { ...noFlags, ...wanted }
      const found = formed.find(({ form }) => JSON.stringify(form) === JSON.stringify(whole))
      assert.ok(found)
      return from(found.destination.id)
    },
    plain: { atLeastOnce: from(atLeastOnce.id), bestEffort: from(bestEffort.id) },
    plainId: atLeastOnce.id,
  }
})

const noFlags: Form = {
  content: 'full-resource',
  includeEntryAction: false,
  includeVersionId: false,
  includeVersionIdInFocusReference: false,
}

export const notificationTests: Record<keyof typeof notificationRows, RowTest> = {
  'notification-bundle': async (contract) => {
    const { plain } = await oneLife(contract)
    for (const { bundle } of plain.atLeastOnce) {
      assert.deepEqual(
        [bundle.resourceType, bundle.type, Object.keys(bundle)],
        ['Bundle', 'history', ['resourceType', 'type', 'timestamp', 'entry']],
      )
      assert.match(bundle.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      const ageMs = Date.now() - Date.parse(bundle.timestamp)
      assert.ok(ageMs > -5000 && ageMs < 600_000, `${ageMs} ms old`)
    }
  },

  'notification-status': async (contract) => {
    const { plain, topicUrl, plainId } = await oneLife(contract)
    for (const { status, bundle } of plain.atLeastOnce) {
      assert.deepEqual(Object.keys(bundle.entry[0] ?? {}), ['resource'])
      const { notificationEvent: _event, ...rest } = status
      assert.deepEqual(rest, {
        resourceType: 'AidboxSubscriptionStatus',
        status: 'active',
        type: 'event-notification',
        topic: topicUrl,
        'topic-destination': { reference: `AidboxTopicDestination/${plainId}` },
      })
    }
  },

  'notification-status-elements': async (contract) => {
    const { plain } = await oneLife(contract)
    for (const { status, event } of plain.atLeastOnce) {
      assert.ok(!('eventsSinceSubscriptionStart' in status) && !('error' in status))
      assert.deepEqual(Object.keys(event), ['eventNumber', 'focus'])
    }
  },

  'notification-event': async (contract) => {
    const { plain, id } = await oneLife(contract)
    for (const { event } of plain.atLeastOnce) {
      assert.deepEqual(event.focus, { reference: `Patient/${id}` })
    }
  },

  'notification-event-number': async (contract) => {
    const { plain } = await oneLife(contract)
    for (const notifications of [plain.atLeastOnce, plain.bestEffort]) {
      assert.deepEqual(
        notifications.map(({ event }) => event.eventNumber),
        [1, 2, 3],
      )
    }
  },

  'notification-full-resource': async (contract) => {
    const { plain, created, updated } = await oneLife(contract)
    assert.deepEqual(
      plain.atLeastOnce.map(({ entry }) => entry?.resource),
      [created, updated, undefined],
    )
  },

  'notification-id-only': async (contract) => {
    const { of, plain } = await oneLife(contract)
    const expected = plain.bestEffort.map(({ entry }) => {
      const { resource: _resource, ...rest } = entry ?? {}
      return rest
    })
    const idOnly = of({ content: 'id-only' })
    assert.deepEqual(
      idOnly.map(({ entry }) => entry),
      expected,
    )
  },

  'notification-empty': async (contract) => {
    const { of, id } = await oneLife(contract)
    for (const { bundle, focus } of of({ content: 'empty' })) {
      assert.equal(bundle.entry.length, 1)
      assert.equal(focus, `Patient/${id}`)
    }
  },

  'notification-full-url': async (contract) => {
    const { plain, id } = await oneLife(contract)
    for (const { entry } of plain.atLeastOnce) {
      assert.equal(entry?.fullUrl, `${contract.url}/Patient/${id}`)
    }
  },

  'notification-request-create': async (contract) => {
    const { plain } = await oneLife(contract)
    const request = plain.atLeastOnce[0]?.entry?.request
    assert.deepEqual(request, { method: 'POST', url: '/fhir/Patient' })
  },

  'notification-request-update': async (contract) => {
    const { plain, id } = await oneLife(contract)
    const request = plain.atLeastOnce[1]?.entry?.request
    assert.deepEqual(request, { method: 'PUT', url: `/fhir/Patient/${id}` })
  },

  'notification-delete': async (contract) => {
    const { plain, id } = await oneLife(contract)
    assert.deepEqual(plain.atLeastOnce[2]?.entry, {
      fullUrl: `${contract.url}/Patient/${id}`,
      request: { method: 'DELETE', url: `/fhir/Patient/${id}` },
    })
  },

  'notification-no-extensions': async (contract) => {
    const { plain, id } = await oneLife(contract)
    for (const { entry, focus } of plain.atLeastOnce) {
      assert.ok(entry && !('extension' in entry))
      assert.equal(focus, `Patient/${id}`)
    }
  },

  'notification-entry-action': async (contract) => {
    const { of } = await oneLife(contract)
    assert.deepEqual(
      of({ includeEntryAction: true }).map(({ entry }) => entry?.extension),
      interactions.map((code) => [{ url: `${extensionUrl}ActionCode`, valueCode: code }]),
    )
  },

  'notification-entry-version': async (contract) => {
    const { of, created, updated } = await oneLife(contract)
    const [first, second, third] = of({ includeVersionId: true })
    const version = (valueId: string) => [{ url: `${extensionUrl}VersionId`, valueId }]
    assert.deepEqual(first?.entry?.extension, version(created.meta.versionId))
    assert.deepEqual(second?.entry?.extension, version(updated.meta.versionId))
    const ofDelete = third?.entry?.extension as { url: string; valueId: string }[]
    assert.equal(ofDelete[0]?.url, `${extensionUrl}VersionId`)
  },

  'notification-focus-version': async (contract) => {
    const { of, id, created, updated } = await oneLife(contract)
    const [first, second] = of({ includeVersionIdInFocusReference: true })
    assert.equal(first?.focus, `Patient/${id}/_history/${created.meta.versionId}`)
    assert.equal(second?.focus, `Patient/${id}/_history/${updated.meta.versionId}`)
  },

  'notification-combinations': async (contract) => {
    const { of, id, created, updated } = await oneLife(contract)
    for (const form of forms) {
      for (const [index, version] of [created, updated].entries()) {
        const { versionId } = version.meta
        const { focus, entry } = of(form)[index] as Notification
        const suffix = form.includeVersionIdInFocusReference ? `/_history/${versionId}` : ''
        assert.equal(focus, `Patient/${id}${suffix}`)
        const extension = [
          form.includeEntryAction && {
            url: `${extensionUrl}ActionCode`,
            valueCode: interactions[index],
          },
          form.includeVersionId && { url: `${extensionUrl}VersionId`, valueId: versionId },
        ].filter((each) => each !== false)
        const wanted = {
          ...(form.content === 'full-resource' ? { resource: version } : {}),
          fullUrl: `${contract.url}/Patient/${id}`,
          request: of({})[index]?.entry?.request,
          ...(extension.length === 0 ? {} : { extension }),
        }
        assert.deepEqual(entry, form.content === 'empty' ? undefined : wanted)
      }
    }
  },

  'notification-kinds-alike': async (contract) => {
    const { plain } = await oneLife(contract)
    const comparable = ({ bundle, record }: Notification) => {
      const { timestamp: _at, ...rest } = bundle
      const text = JSON.stringify(rest).replace(/AidboxTopicDestination\/[\w-]+/, '')
      const names = Object.keys(record.headers)
      return { text, key: record.key, names }
    }
    assert.deepEqual(plain.atLeastOnce.map(comparable), plain.bestEffort.map(comparable))
  },

  'notification-headers': async (contract) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const { read } = await contract.follow({ resource: 'Patient' })
    const created = await contract.fhir.ok(
      'POST',
      '/Patient',
      { resourceType: 'Patient' },
      { traceparent, 'x-topic-correlation-id': 'order-4711' },
    )
    const [notification] = await read(1)
    const { ce_id: id, ce_time: time, ...headers } = notification?.record.headers ?? {}
    assert.deepEqual(headers, {
      ce_specversion: '1.0',
      ce_type: 'fhir.Patient.create',
      ce_source: contract.url,
      ce_subject: `Patient/${String(created['id'])}`,
      'content-type': 'application/fhir+json',
      traceparent,
      'x-topic-correlation-id': 'order-4711',
    })
    assert.match(id ?? '', /^AidboxTopicDestination\/.+\/.+/)
    assert.equal(time, notification?.bundle.timestamp)
  },
}
