import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { Change } from '../../../src/host/types.ts'
import { matchChanges } from '../../../src/triggers/match-changes.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'
import { testDatabase } from '../../helpers/postgres.ts'

it('commits the write although the read for resolve() failed inside its transaction', async (t) => {
  const { pool } = await testDatabase(t)
  await pool.query('create table written (id text)')
  const index = new TopicIndex()
  index.put(
    parseSubscriptionTopic({
      resourceType: 'AidboxSubscriptionTopic',
      url: 'topic',
      status: 'active',
      trigger: [{ resource: 'Encounter', fhirPathCriteria: 'subject.resolve().active' }],
    }),
  )
  const change: Change = {
    interaction: 'create',
    resourceType: 'Encounter',
    id: '1',
    current: { resourceType: 'Encounter', id: '1', subject: { reference: 'Patient/1' } },
  }

  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query("insert into written values ('1')")
    const [match] = await matchChanges(index, [change], fromPg(client), async (_references, tx) => {
      await tx?.query('select 1 from no_such_table')
      return new Map()
    })
    assert.deepEqual(match?.undecided, [
      { topicUrl: 'topic', error: 'The references could not be read (42P01).', isTransient: true },
    ])
    await client.query('commit')
  } finally {
    client.release()
  }
  const { rows } = await pool.query<{ id: string }>('select id from written')
  assert.deepEqual(rows, [{ id: '1' }])
})
