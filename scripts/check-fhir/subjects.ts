import { notificationBundle } from '../../src/notifications/notification-bundle.ts'
import { contentModes } from '../../src/resources/destination-kinds.ts'
import { definitions } from '../../src/resources/definitions.ts'
import { FhirClient } from '../../test/helpers/fhir-client.ts'
import { startServerProcess } from '../../test/helpers/server-process.ts'
import {
  fixture,
  patched,
  type AcceptedCase,
  type RefusedCase,
} from '../../test/unit/resources/fixtures.ts'

/** A resource and what a validator must say of it. */
export interface Subject {
  readonly name: string
  readonly kind: 'definition' | 'capability statement' | 'instance' | 'notification'
  readonly json: string
  readonly expected: 'valid' | 'refused'
}

/** The generated definitions, what a running server answers, and destinations and topics good and bad. */
export async function subjects(): Promise<readonly Subject[]> {
  return [
    ...definitions.map((definition) =>
      valid('definition', `${definition.resourceType} ${definition.id ?? ''}`, definition),
    ),
    ...(await answers()),
    ...notifications(),
    ...accepted('topics'),
    ...accepted('destinations'),
    ...refused('topics'),
    ...refused('destinations'),
  ]
}

function valid(kind: Subject['kind'], name: string, resource: unknown): Subject {
  return { name, kind, json: JSON.stringify(resource), expected: 'valid' }
}

/** A Bundle whose entries of our types are stood in for by Basic: the validator looks for types within a Bundle in R4 only.
 *  The entries themselves are checked one by one. */
function bundle(kind: Subject['kind'], name: string, resource: unknown): Subject {
  const { entry = [], ...rest } = resource as { entry?: { resource?: { id?: string } }[] }
  const inEntry = entry.map((one) => {
    const { resourceType, id } = (one.resource ?? {}) as { resourceType?: string; id?: string }
    if (!resourceType?.startsWith('Aidbox')) return one
    return { ...one, resource: { resourceType: 'Basic', id, code: { text: resourceType } } }
  })
  return valid(kind, name, { ...rest, entry: inEntry })
}

function accepted(types: 'topics' | 'destinations'): Subject[] {
  return fixture<AcceptedCase>(`accepted-${types}.json`).map(({ name, resource }) =>
    valid('instance', `${types}: ${name}`, resource),
  )
}

/** Those among the resources the server refuses that the definitions alone show to be wrong. */
function refused(types: 'topics' | 'destinations'): Subject[] {
  const [good] = fixture<AcceptedCase>(`accepted-${types}.json`)
  if (!good) throw new Error(`No accepted ${types}.`)
  return fixture<RefusedCase>(`refused-${types}.json`)
    .filter(({ profileRefuses }) => profileRefuses === true)
    .map(({ name, patch }) => ({
      name: `${types}: ${name}`,
      kind: 'instance',
      json: JSON.stringify(patched(good.resource, patch)),
      expected: 'refused',
    }))
}

/** What a server with authentication says to a client: metadata, a masked secret, $status of both kinds, refusals. */
async function answers(): Promise<Subject[]> {
  const server = await startServerProcess({ BASIC_AUTH: 'check:fhir', LOG_LEVEL: 'error' })
  try {
    const client = new FhirClient(server.url)
    const headers = { authorization: `Basic ${btoa('check:fhir')}` }
    const get = async (path: string) => (await client.request('GET', path, undefined, headers)).body
    const put = async (path: string, resource: object) =>
      (await client.request('PUT', path, resource, headers)).body

    const found = [valid('capability statement', 'CapabilityStatement', await get('/metadata'))]
    const [topic] = fixture<AcceptedCase>('accepted-topics.json')
    const topicPath = `/AidboxSubscriptionTopic/${topic?.resource.id ?? ''}`
    found.push(valid('instance', 'topic as answered', await put(topicPath, topic?.resource ?? {})))
    const post = async (path: string, parameter: readonly object[]) => {
      const body = { resourceType: 'Parameters', parameter }
      return (await client.request('POST', path, body, headers)).body
    }
    const current = { resourceType: 'QuestionnaireResponse', status: 'completed' }
    await put('/QuestionnaireResponse/q', { ...current, id: 'q' })
    const given = { name: 'current', resource: current }
    found.push(
      valid('instance', '$explain', await post(`${topicPath}/$explain`, [given])),
      valid('instance', '$explain without a change', await post(`${topicPath}/$explain`, [])),
      valid('instance', '$dry-run', await post(`${topicPath}/$dry-run`, [])),
    )
    for (const { name, resource } of fixture<AcceptedCase>('accepted-destinations.json')) {
      const path = `/AidboxTopicDestination/${resource.id ?? ''}`
      const written = { ...resource, topic: topic?.resource['url'] }
      found.push(
        valid('instance', `${name}, as answered`, await put(path, written)),
        valid('instance', `$status of ${name}`, await get(`${path}/$status`)),
        bundle('instance', `history of ${name}`, await get(`${path}/_history`)),
      )
    }
    found.push(
      bundle('instance', 'search answer', await get('/AidboxTopicDestination?_count=1')),
      valid('instance', 'refused resource', await put('/AidboxTopicDestination/x', { id: 'x' })),
      valid('instance', 'missing resource', await get('/AidboxTopicDestination/missing')),
      valid('instance', '401', (await client.request('GET', '/Patient')).body),
    )
    if (!found.some(({ json }) => json.includes('"masked"'))) throw new Error('No masked secret.')
    return found
  } finally {
    await server.stop()
  }
}

function notifications(): Subject[] {
  const body = {
    resourceType: 'Encounter',
    id: 'e1',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
  }
  return contentModes.map((content) => {
    const json = notificationBundle(
      {
        eventNumber: 1,
        eventId: '4711',
        topicUrl: 'http://example.org/topic/encounters',
        interaction: 'update',
        resourceType: 'Encounter',
        resourceId: 'e1',
        versionId: '2',
        at: new Date('2026-01-01T10:00:00Z'),
        correlationId: 'order-4711',
        body: JSON.stringify(body),
      },
      {
        reference: 'AidboxTopicDestination/encounters',
        kafkaTopic: 'encounters',
        keyByResourceId: true,
        content,
        includeEntryAction: true,
        includeVersionId: true,
        includeVersionIdInFocusReference: true,
      },
      'https://fhir.example.org/fhir',
    )
    return bundle('notification', `notification, ${content}`, JSON.parse(json))
  })
}
