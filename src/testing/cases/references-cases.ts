import { expect, expectEqual } from '../expect.ts'
import type { CaseSpec } from './case-spec.ts'

export const referencesCases: readonly CaseSpec[] = [
  {
    name: 'references gives each current resource once, in an order that an update does not change',
    requires: ['references'],
    async prove(run) {
      const first = await run.create('first')
      const deleted = await run.create('deleted')
      const last = await run.create('last')
      await run.delete(deleted)
      const before = (await run.references(2)).flat()
      await run.update(first.id, 'second')
      const pages = await run.references(2)
      expect(
        pages.slice(0, -1).every(({ length }) => length === 2) && (pages.at(-1)?.length ?? 0) < 2,
        'FhirHost.references gives as many references as the limit says, and fewer only at the end.',
        pages.map(({ length }) => length),
      )
      const all = pages.flat()
      expectEqual(
        all,
        before,
        'FhirHost.references keeps its order when a resource is updated: order by type and id.',
      )
      expect(new Set(all).size === all.length, 'FhirHost.references gives no reference twice.', all)
      for (const { id } of [first, last]) {
        expect(
          all.includes(run.reference(id)),
          'FhirHost.references gives every current resource of the types.',
          all,
        )
      }
      expect(
        !all.includes(run.reference(deleted.id)),
        'FhirHost.references leaves deleted resources out.',
      )
    },
  },
]
