import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { forbidden, OperationOutcomeError } from '@medplum/core'
import {
  destinationOperations,
  type DestinationOperationParts,
} from '../../../src/destination-operations/destination-operations.ts'
import type { DestinationKind } from '../../../src/outbox/destination-row.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'

const none = { rows: [], rowCount: 0 }

function registered(id: string, kind: DestinationKind, topicId: number) {
  const reference = `AidboxTopicDestination/${id}`
  const row = {
    destinationId: 1,
    reference,
    kind,
    topicId,
    topicUrl: 'http://example.org/topic',
    organization: '',
    sourceVersion: 0,
    moves: [],
    startedAt: new Date(),
  }
  return [reference, { row, destination: undefined, fault: undefined }] as const
}

/** Operations of a server with three destinations; its database knows only which of them have undecided events in common with the one that is asked for.
 *  @param refuses whether the caller may not do an action on a reference */
function operations(
  refuses: (asked: string) => boolean = () => false,
  sharers: readonly string[] = [],
) {
  const asked: string[] = []
  const decided: unknown[] = []
  const parts: DestinationOperationParts = {
    host: {
      authorize: (_principal, action, reference) => {
        asked.push(`${action} ${reference}`)
        if (refuses(`${action} ${reference}`)) throw new OperationOutcomeError(forbidden)
      },
      references: () => Promise.resolve([]),
    },
    db: {
      query: <Row>() => {
        const rows = sharers.map((id) => ({ reference: `AidboxTopicDestination/${id}` }))
        return Promise.resolve({ ...none, rows: rows as Row[] })
      },
    },
    inTransaction: () => Promise.reject(new Error('nothing may be written')),
    schema: outboxSchema(),
    registry: {
      destinations: new Map([
        registered('d', 'kafka-at-least-once', 1),
        registered('same-queue', 'kafka-at-least-once', 1),
        registered('other-queue', 'kafka-at-least-once', 2),
        registered('best-effort', 'kafka-best-effort', 1),
      ]),
      topicByUrl: () => undefined,
      asksForPrevious: () => false,
      ensureFresh: () => Promise.resolve(),
    },
    undecided: {
      list: () => Promise.resolve([]),
      decide: (selection) => {
        decided.push(selection)
        return Promise.resolve({ fired: 0, notFired: 0, undecided: 0 })
      },
      release: () => Promise.resolve({ released: 0 }),
      discard: () => Promise.resolve({ discarded: 0 }),
    },
    options: { jobMaxPerSecond: 1000, deliveredRetentionMs: 0 },
    lookForJobs: () => undefined,
  }
  const all = destinationOperations(parts)
  const call = (code: string, id: string, ...parameter: object[]) => {
    const operation = all.find((each) => each.code === code)
    assert.ok(operation)
    return operation.handle({
      id,
      method: 'POST',
      input: { resourceType: 'Parameters', parameter } as never,
    })
  }
  return { asked, decided, all, call }
}

const everything = { name: 'all', valueBoolean: true }

describe('operations on a destination', () => {
  it('ask for the right to write it, beside their own', async () => {
    for (const code of ['redrive', 'discard', 'replay', 'backfill', 'cancel']) {
      const reference = 'AidboxTopicDestination/d'
      for (const refused of [`${code} ${reference}`, `update ${reference}`]) {
        const { asked, call } = operations((each) => each === refused)
        await assert.rejects(call(code, 'd', everything), (error) => {
          assert.ok(error instanceof OperationOutcomeError)
          return error.outcome.id === 'forbidden'
        })
        assert.equal(asked.at(-1), refused)
      }
    }
  })

  it('ask for no right to write it where nothing changes', async () => {
    const reference = 'AidboxTopicDestination/d'
    const reader = operations((each) => each.startsWith('update '))
    await reader.call('dead-letters', 'd')
    assert.deepEqual(reader.asked, [`dead-letters ${reference}`])
    const nobody = operations((each) => each.startsWith('dead-letters '))
    await assert.rejects(nobody.call('dead-letters', 'd'), /Forbidden/)
  })

  it('ask for the right to write every destination whose undecided events they touch', async () => {
    const { decided, call } = operations(
      (each) => each === 'update AidboxTopicDestination/same-queue',
      ['same-queue'],
    )
    await assert.rejects(call('redrive', 'd', everything), OperationOutcomeError)
    await assert.rejects(call('discard', 'd', everything), OperationOutcomeError)
    assert.deepEqual(decided, [])
    await call('redrive', 'd', everything, { name: 'of', valueCode: 'dead-letters' })
    const alone = operations((each) => each === 'update AidboxTopicDestination/d')
    await alone.call('redrive', 'other-queue', everything)
    assert.deepEqual(alone.decided, [{ reference: 'AidboxTopicDestination/other-queue' }])
  })

  it('answer 404 and 422 for a destination that is not there, and one of best effort', async () => {
    const { all, call } = operations()
    for (const { code } of all) {
      await assert.rejects(call(code, 'no-such'), /Not found/)
      await assert.rejects(call(code, 'best-effort'), /best effort keeps nothing/)
    }
  })

  const refused: readonly [code: string, text: RegExp, ...parameter: object[]][] = [
    ['redrive', /Say what is meant/],
    ['discard', /Say what is meant/, { name: 'of', valueCode: 'undecided' }],
    ['replay', /Say what is meant/, { name: 'all', valueBoolean: false }],
    [
      'replay',
      /Give a fromEvent that is not after toEvent/,
      { name: 'fromEvent', valueInteger: 3 },
      { name: 'toEvent', valueInteger: 2 },
    ],
    [
      'replay',
      /Give a from that is not after to/,
      { name: 'from', valueDate: '2026-02-01' },
      { name: 'to', valueDate: '2026-01-01' },
    ],
    ['redrive', /Write error as valueString/, { name: 'error', valueString: '' }],
    ['redrive', /Write all as valueBoolean/, { name: 'all', valueString: 'true' }],
    [
      'redrive',
      /of as valueCode, one of dead-letters, undecided/,
      everything,
      { name: 'of', valueCode: 'x' },
    ],
    [
      'backfill',
      /maxPerSecond as valueInteger, from 1 to 100000/,
      { name: 'maxPerSecond', valueInteger: 0 },
    ],
    ['backfill', /parameters of these names: maxPerSecond/, everything],
    ['dead-letters', /from 1 to 500/, { name: 'count', valueInteger: 501 }],
    ['dead-letters', /as next of the page before/, { name: 'after', valueString: 'x' }],
    ['dead-letters', /one of dead-letters, undecided/, { name: 'of', valueCode: 'all' }],
    ['cancel', /No job 7 of this destination is running/, { name: 'job', valueInteger: 7 }],
  ]
  for (const [code, text, ...parameter] of refused) {
    it(`$${code} refuses ${JSON.stringify(parameter)}`, async () => {
      await assert.rejects(operations().call(code, 'd', ...parameter), text)
    })
  }
})
