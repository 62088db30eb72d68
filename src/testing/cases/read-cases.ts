import { randomUUID } from 'node:crypto'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'

export const readCases: readonly CaseSpec[] = [
  {
    name: 'read gives current resources by reference; missing, deleted and unknown ones are absent',
    requires: [],
    async prove(run) {
      const kept = await run.create('kept')
      const current = run.probe.committed[0]?.current
      const deleted = await run.create('deleted')
      await run.delete(deleted)
      const references = [
        run.reference(kept.id),
        run.reference(deleted.id),
        run.reference(randomUUID()),
        'NoSuchType/1',
      ]
      const found = await run.host.read(references)
      expectEqual(
        [...found.keys()],
        [run.reference(kept.id)],
        'FhirHost.read gives a Map by relative reference (Type/id). What is missing, deleted or of an unknown type is not in it, and nothing is thrown.',
      )
      expectEqual(found.get(run.reference(kept.id)), current, 'FhirHost.read gives what is stored.')
      expectEqual((await run.host.read([])).size, 0, 'FhirHost.read must take an empty list.')
    },
  },
  {
    name: 'read with tx sees the open transaction',
    requires: ['sqlTransactions', 'transactions'],
    async prove(run) {
      const updated = await run.given('before')
      const deleted = await run.given('deleted')
      let created = ''
      let seen: Readonly<Record<string, unknown>> = {}
      run.probe.inBeforeCommit = async ({ changes }, tx) => {
        const inside = await run.host.read(
          [updated.id, deleted.id, created].map((id) => run.reference(id)),
          tx,
        )
        const current = changes.find(({ id }) => id === updated.id)?.current
        seen = {
          updated:
            inside.get(run.reference(updated.id))?.meta?.versionId === current?.meta?.versionId,
          deleted: !inside.has(run.reference(deleted.id)),
          created: inside.has(run.reference(created)),
        }
      }
      await run.transaction(async (writes) => {
        created = (await run.create('created', writes)).id
        await run.update(updated.id, 'after', writes)
        await run.delete(deleted, writes)
      })
      expectEqual(
        seen,
        { updated: true, deleted: true, created: true },
        'FhirHost.read must run its query on the tx it is given, and use no cache then.',
      )
    },
  },
  {
    name: 'read without tx sees committed resources only',
    requires: ['sqlTransactions'],
    async prove(run) {
      const stored = await run.create('committed')
      const before = run.probe.committed[0]?.current
      let seen: unknown
      run.probe.inBeforeCommit = async () => {
        seen = await run.readCurrent(stored.id)
      }
      await run.update(stored.id, 'not yet')
      expect(seen !== undefined, 'FhirHost.read without tx must not wait for a row lock.')
      expectEqual(seen, before, 'FhirHost.read without tx must read on another connection.')
    },
  },
]
