import assert from 'node:assert/strict'
import { it } from 'node:test'
import { forbidden, OperationOutcomeError } from '@medplum/core'
import type { Principal } from '../../../src/host/types.ts'
import { statusOperation, type StatusOperationParts } from '../../../src/status/status-operation.ts'

it('asks the host whether the caller may know, before it looks anything up', async () => {
  const asked: unknown[] = []
  const operation = statusOperation({
    host: {
      authorize: (...call: [Principal | undefined, string, string]) => {
        asked.push(call)
        return Promise.reject(new OperationOutcomeError(forbidden))
      },
    },
    // Nothing else is touched.
  } as unknown as StatusOperationParts)
  await assert.rejects(operation.handle({ id: 'd', method: 'GET', principal: { id: 'nurse' } }), {
    outcome: forbidden,
  })
  assert.deepEqual(asked, [[{ id: 'nurse' }, 'status', 'AidboxTopicDestination/d']])
})
