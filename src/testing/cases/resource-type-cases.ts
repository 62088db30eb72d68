import { randomUUID } from 'node:crypto'
import type { FhirResource } from '../../host/types.ts'
import type { CaseRun } from '../case-run.ts'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'
import { maskedSecret, probeTypeName, refusedLabel, storedMark } from '../probe-type.ts'
import type { RestAnswer } from '../rest-client.ts'

const path = `/${probeTypeName}`
const requires = ['customResourceTypes', 'rest'] as const

export const resourceTypeCases: readonly CaseSpec[] = [
  {
    name: 'a registered type is created, read, searched, updated and deleted, and each write is a change',
    requires,
    async prove(run) {
      const probe = newProbe('first')
      const created = await run.request('POST', path, probe)
      expectEqual(created.status, 201, told('A create of a registered type answers 201', created))
      expectEqual(
        created.body.id,
        probe.id,
        'A create of a registered type keeps the id that the client sends.',
      )
      const read = await run.request('GET', `${path}/${probe.id}`)
      expectEqual(
        [read.status, read.body['label']],
        [200, 'first'],
        told('A read answers 200', read),
      )
      for (const query of [`_id=${probe.id}`, `url=${encodeURIComponent(probe.url)}`]) {
        const found = await run.request('GET', `${path}?${query}`)
        expectEqual(
          found.body.entry?.map(({ resource }) => resource?.id),
          [probe.id],
          told(
            `A search by ${query} finds the resource: index the search parameters of the definition, and _id`,
            found,
          ),
        )
      }
      const updated = await run.request('PUT', `${path}/${probe.id}`, { ...probe, label: 'second' })
      expectEqual(updated.status, 200, told('An update answers 200', updated))
      const deleted = await run.request('DELETE', `${path}/${probe.id}`)
      expect([200, 204].includes(deleted.status), told('A delete answers 200 or 204', deleted))
      const gone = await run.request('GET', `${path}/${probe.id}`)
      expect(
        [404, 410].includes(gone.status),
        told('A read of what is deleted answers 404 or 410', gone),
      )
      expectEqual(
        run.probe.committed.map(
          ({ interaction, current }) => `${interaction} ${String(current?.['label'])}`,
        ),
        ['create first', 'update second', 'delete undefined'],
        'Writes of registered types go through the hooks as all others do.',
      )
    },
  },
  {
    name: 'validate is asked with the id and the version before, and refuses with 422',
    requires,
    async prove(run) {
      const probe = newProbe('good')
      await run.request('POST', path, probe)
      await run.request('PUT', `${path}/${probe.id}`, { ...probe, label: 'better' })
      const [onCreate, onUpdate] = run.probe.validateCalls
      expectEqual(
        [onCreate?.resource['label'], onCreate?.resource.id, onCreate?.previous],
        ['good', probe.id, undefined],
        'validate gets the body of the client with resourceType and id; previous is absent on create.',
      )
      expectEqual(
        [onUpdate?.resource['label'], onUpdate?.previous?.['label']],
        ['better', 'good'],
        'validate of an update gets the version before it.',
      )
      run.probe.calls.length = 0
      const refused = { ...newProbe(refusedLabel) }
      for (const [method, where, body] of [
        ['POST', path, refused],
        ['PUT', `${path}/${probe.id}`, { ...refused, id: probe.id }],
      ] as const) {
        const answer = await run.request(method, where, body)
        expectEqual(
          answer.status,
          422,
          told('Issues of severity error from validate are answered with 422', answer),
        )
        expectEqual(
          answer.body.issue?.[0]?.expression,
          [`${probeTypeName}.label`],
          'The answer is an OperationOutcome with the issues of validate.',
        )
      }
      expectEqual(run.probe.committed, [], 'What validate refuses is not written.')
      const listed = await listedProbes(run, [refused.id, probe.id])
      expectEqual(
        listed.map(({ label }) => label),
        ['better'],
        'What validate refuses is not stored.',
      )
    },
  },
  {
    name: 'toStored is what is stored and listed, toAnswer is what clients read',
    requires,
    async prove(run) {
      const probe = { ...newProbe('secretive'), secret: 's3cret' }
      const created = await run.request('POST', path, probe)
      const { current } = run.probe.committed[0] ?? {}
      expectEqual(
        [current?.['secret'], current?.['mark']],
        ['s3cret', storedMark],
        'Store, and record as current, what toStored makes of the body.',
      )
      const [listed] = await listedProbes(run, [probe.id])
      expectEqual(
        listed,
        current,
        'FhirHost.list gives resources as they are stored, not as they are answered.',
      )
      const reference = `${probeTypeName}/${probe.id}`
      expectEqual(
        (await run.host.read([reference])).get(reference),
        current,
        'FhirHost.read gives resources of registered types too, as they are stored.',
      )
      const search = await run.request('GET', `${path}?_id=${probe.id}`)
      const answers = {
        'the answer to a write': created.body,
        'a read': (await run.request('GET', `${path}/${probe.id}`)).body,
        'a search': search.body.entry?.[0]?.resource,
      }
      for (const [what, body] of Object.entries(answers)) {
        expectEqual(body?.['secret'], maskedSecret, `Apply toAnswer to ${what}.`)
      }
    },
  },
  {
    name: 'list gives the current resources of a registered type',
    requires,
    async prove(run) {
      const [kept, deleted] = [newProbe('kept'), newProbe('deleted')]
      for (const probe of [kept, deleted]) await run.request('POST', path, probe)
      await run.request('PUT', `${path}/${kept.id}`, { ...kept, label: 'kept, second version' })
      await run.request('DELETE', `${path}/${deleted.id}`)
      const listed = await listedProbes(run, [kept.id, deleted.id])
      expectEqual(
        listed.map(({ label }) => label),
        ['kept, second version'],
        'FhirHost.list gives each resource once, in its current version, without deleted ones.',
      )
    },
  },
  {
    name: 'an interaction that a registered type does not list answers 405',
    requires,
    async prove(run) {
      const probe = newProbe('no patch')
      await run.request('POST', path, probe)
      const answer = await run.request('PATCH', `${path}/${probe.id}`, [
        { op: 'replace', path: '/label', value: 'patched' },
      ])
      expectEqual(
        answer.status,
        405,
        told('PATCH is not among the interactions of this type', answer),
      )
    },
  },
  {
    name: 'an interaction that a registered type does not list answers 405 in a Bundle too',
    requires: [...requires, 'bundles'],
    async prove(run) {
      const probe = newProbe('no patch')
      await run.request('POST', path, probe)
      const data = Buffer.from('[{"op":"replace","path":"/label","value":"patched"}]').toString(
        'base64',
      )
      const answer = await run.request('POST', '', {
        resourceType: 'Bundle',
        type: 'batch',
        entry: [
          {
            request: { method: 'PATCH', url: `${probeTypeName}/${probe.id}` },
            resource: { resourceType: 'Binary', contentType: 'application/json-patch+json', data },
          },
        ],
      })
      const status = answer.body.entry?.[0]?.response?.status
      expect(status?.startsWith('405') === true, told('The entry must answer 405', answer), status)
      const [listed] = await listedProbes(run, [probe.id])
      expectEqual(listed?.['label'], 'no patch', 'An entry that is refused changes nothing.')
    },
  },
]

interface Probe extends FhirResource {
  readonly id: string
  readonly url: string
}

export function newProbe(label: string): Probe {
  const id = randomUUID()
  return { resourceType: probeTypeName, id, url: `http://example.org/probe/${id}`, label }
}

async function listedProbes(run: CaseRun, ids: readonly string[]): Promise<FhirResource[]> {
  const listed = await run.host.list(probeTypeName)
  return listed.filter(({ id }) => id !== undefined && ids.includes(id))
}

function told(promise: string, { status, body }: RestAnswer): string {
  return `${promise} (it was ${status} ${JSON.stringify(body).slice(0, 500)}).`
}
