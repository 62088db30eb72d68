import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Change, HistoryQuery, PastChange } from '../../host/types.ts'
import type { CaseRun, Stored } from '../case-run.ts'
import { expect, expectEqual } from '../expect.ts'
import type { CaseSpec } from './case-spec.ts'

const requires = ['history'] as const

/** More than the connections of any pool that a test is likely to have. */
const abandonedLoops = 30
const deadlineMs = 10_000

export const historyCases: readonly CaseSpec[] = [
  {
    name: 'history gives past changes as they were recorded, the newest first',
    requires,
    async prove(run) {
      const written = await writeVersions(run)
      const found = await changesOf(run, written)
      const times = found.map(({ at }) => at)
      expect(
        times.every((at) => at instanceof Date),
        'HostHistory.changes gives each change the time of it, at.',
        times,
      )
      expect(
        times.every((at, i) => i === 0 || at <= (times[i - 1] ?? at)),
        'HostHistory.changes gives the newest change first.',
        times,
      )
      for (const { id } of written) {
        const recorded = run.probe.committed.filter((change) => change.id === id).toReversed()
        expectEqual(
          found.filter((change) => change.id === id).map(told),
          recorded.map(told),
          'HostHistory.changes gives each change as it was recorded: interaction, current and the version before as previous; those of one resource in the reverse order of their versions.',
        )
      }
      expect(
        found.every(({ versionId }) => typeof versionId === 'string' && versionId !== ''),
        'HostHistory.changes gives each change the version that it has written, also a delete.',
        found,
      )
    },
  },
  {
    name: 'history gives changes of a range and of the wanted types only',
    requires,
    async prove(run) {
      const written = await writeVersions(run)
      const { resourceType } = run.sample('')
      const [newest] = await changesOf(run, written)
      expect(newest !== undefined, 'HostHistory.changes gives what is committed.')
      const { at } = newest
      for await (const change of run.history.changes({ types: [resourceType], from: at, to: at })) {
        expectEqual(change.at, at, 'HostHistory.changes keeps to from and to, both inclusive.')
      }
      const inRange = await changesOf(run, written, { from: at, to: at })
      expect(inRange.length > 0, 'HostHistory.changes takes from and to as inclusive.')
      for await (const change of run.history.changes({ types: ['NoSuchType'] })) {
        expect(false, 'HostHistory.changes gives changes of the wanted types only.', change)
      }
    },
  },
  {
    name: 'history.read gives versions by reference; missing ones and deletions are absent',
    requires,
    async prove(run) {
      const written = await writeVersions(run)
      const changes = (await changesOf(run, written)).toReversed()
      const referenceOf = ({ id, versionId }: PastChange): string =>
        `${run.reference(id)}/_history/${versionId}`
      const references = [...changes.map(referenceOf), `${run.reference(randomUUID())}/_history/1`]
      const found = await run.history.read(references)
      const wanted = changes.filter(({ current }) => current !== undefined)
      expectEqual(
        [...found.keys()].toSorted(),
        wanted.map(referenceOf).toSorted(),
        'HostHistory.read gives a Map by reference (Type/id/_history/version). What is missing and what is a deletion is not in it.',
      )
      for (const change of wanted) {
        expectEqual(
          found.get(referenceOf(change)),
          change.current,
          'HostHistory.read gives each version as it was stored.',
        )
      }
    },
  },
  {
    name: 'whoever leaves the loop over the history, or aborts it, leaves nothing behind',
    requires,
    async prove(run) {
      await writeVersions(run)
      const leave = async (): Promise<boolean> => {
        for (let n = 0; n < abandonedLoops; n++) await firstChange(run)
        return true
      }
      const late = delay(deadlineMs, false, { ref: false })
      expect(
        await Promise.race([leave(), late]),
        `HostHistory.changes must give its connection back when its iterator is closed: ${abandonedLoops} loops that were left after one change do not end.`,
      )
      // An error says it as well.
      const first = await firstChange(run, { signal: AbortSignal.abort() }).catch(() => undefined)
      expectEqual(first, undefined, 'HostHistory.changes must end when its signal is aborted.')
    },
  },
]

/** One resource that is updated, and one that is deleted. */
async function writeVersions(run: CaseRun): Promise<readonly Stored[]> {
  const updated = await run.create('first')
  const deleted = await run.create('deleted')
  await run.update(updated.id, 'second')
  await run.delete(deleted)
  await run.update(updated.id, 'third')
  return [updated, deleted]
}

/** Those of the given resources, in the order of the history. */
async function changesOf(
  run: CaseRun,
  resources: readonly Stored[],
  range: Pick<HistoryQuery, 'from' | 'to'> = {},
): Promise<PastChange[]> {
  const { resourceType } = run.sample('')
  const found: PastChange[] = []
  for await (const change of run.history.changes({ types: [resourceType], ...range })) {
    if (resources.some(({ id }) => id === change.id)) found.push(change)
  }
  return found
}

async function firstChange(
  run: CaseRun,
  query: HistoryQuery = {},
): Promise<PastChange | undefined> {
  for await (const change of run.history.changes(query)) return change
  return undefined
}

/** What a change and its memory have in common. */
function told({ interaction, resourceType, id, current, previous }: Change): Partial<Change> {
  return {
    interaction,
    resourceType,
    id,
    ...(current ? { current } : {}),
    ...(previous ? { previous } : {}),
  }
}
