import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change, CommitHooks, CommitUnit, SqlTx } from '../../../src/host/types.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'

const change = (id: string): Change => ({ interaction: 'create', resourceType: 'Patient', id })
const ids = (unit: CommitUnit) => unit.changes.map(({ id }) => id)

/** Hooks that note every call as `name:ids`. */
function recordingHooks(calls: string[], name = ''): CommitHooks {
  const note = (hook: string, unit: CommitUnit) => calls.push(`${name}${hook}:${ids(unit).join()}`)
  return {
    async beforeCommit(unit, tx) {
      note('before', unit)
      await tx?.query('insert')
    },
    async afterCommit(unit) {
      note('after', unit)
      await Promise.resolve()
    },
    afterRollback(unit) {
      note('rollback', unit)
    },
  }
}

function recordingTx(statements: string[]): SqlTx {
  return {
    query(text) {
      statements.push(text)
      return Promise.resolve({ rows: [], rowCount: 0 })
    },
  }
}

describe('UnitOfWork', () => {
  it('asks every hook whether the version before a change is needed; who does not say needs it', () => {
    const silent = recordingHooks([])
    const of = (type: string): CommitHooks => ({
      ...silent,
      usesPrevious: (resourceType) => resourceType === type,
    })
    const patient = new UnitOfWork([of('Patient'), of('Encounter')])
    assert.equal(patient.usesPrevious('Patient'), true)
    assert.equal(patient.usesPrevious('Encounter'), true)
    assert.equal(patient.usesPrevious('Observation'), false)
    assert.equal(new UnitOfWork([of('Patient'), silent]).usesPrevious('Observation'), true)
    assert.equal(new UnitOfWork([]).usesPrevious('Patient'), false)
  })

  it('passes one unit with every change to every hook, in the order of registration', async () => {
    const calls: string[] = []
    const unit = new UnitOfWork([recordingHooks(calls, '1-'), recordingHooks(calls, '2-')])
    unit.record(change('a'))
    unit.record(change('b'))
    await unit.beforeCommit(recordingTx([]))
    await unit.afterCommit()
    assert.deepEqual(calls, ['1-before:a,b', '2-before:a,b', '1-after:a,b', '2-after:a,b'])
  })

  it('joins the changes of a released savepoint in order, and none of a dropped one', () => {
    const unit = new UnitOfWork([])
    unit.record(change('a'))
    const dropped = unit.savepoint()
    dropped.record(change('lost'))
    const outer = unit.savepoint()
    outer.record(change('b'))
    const inner = outer.savepoint()
    inner.record(change('c'))
    inner.release()
    outer.release()
    unit.record(change('d'))
    assert.deepEqual(ids(unit), ['a', 'b', 'c', 'd'])
    assert.deepEqual(ids(outer), [])
    assert.throws(() => {
      unit.release()
    }, /no parent/)
  })

  it('runs a statement of its own only when no hook ran one', async () => {
    const statements: string[] = []
    const silent: CommitHooks = { ...recordingHooks([]), beforeCommit: () => Promise.resolve() }
    const probed = new UnitOfWork([silent])
    probed.record(change('a'))
    await probed.beforeCommit(recordingTx(statements))
    assert.deepEqual(statements, ['select 1'])

    const spoken = new UnitOfWork([recordingHooks([])])
    spoken.record(change('a'))
    await spoken.beforeCommit(recordingTx(statements))
    assert.deepEqual(statements, ['select 1', 'insert'])
  })

  it('runs a statement of its own when the last one of a hook failed and was swallowed', async () => {
    const statements: string[] = []
    const failing: SqlTx = {
      query: (text) => {
        statements.push(text)
        return text === 'fails' || statements.includes('fails')
          ? Promise.reject(new Error(`${text} in an aborted transaction`))
          : Promise.resolve({ rows: [], rowCount: 0 })
      },
    }
    const swallowing: CommitHooks = {
      ...recordingHooks([]),
      async beforeCommit(_unit, tx) {
        await tx?.query('insert')
        await tx?.query('fails').catch(() => undefined)
      },
    }
    const unit = new UnitOfWork([swallowing])
    unit.record(change('a'))
    await assert.rejects(unit.beforeCommit(failing), /select 1 in an aborted transaction/)
    assert.deepEqual(statements, ['insert', 'fails', 'select 1'])
  })

  it('takes no change that the hooks would not see', async () => {
    const unit = new UnitOfWork([recordingHooks([])])
    await unit.beforeCommit(recordingTx([]))
    assert.throws(() => {
      unit.record(change('late'))
    }, /after beforeCommit/)
  })

  it('passes no transaction on where the host has none', async () => {
    const given: (SqlTx | undefined)[] = []
    const hooks: CommitHooks = {
      ...recordingHooks([]),
      beforeCommit: (_unit, tx) => {
        given.push(tx)
        return Promise.resolve()
      },
    }
    const unit = new UnitOfWork([hooks])
    unit.record(change('a'))
    await unit.beforeCommit()
    assert.deepEqual(given, [undefined])
  })

  it('calls nothing for a unit without changes', async () => {
    const calls: string[] = []
    const statements: string[] = []
    const unit = new UnitOfWork([recordingHooks(calls)])
    await unit.beforeCommit(recordingTx(statements))
    await unit.afterCommit()
    unit.afterRollback()
    assert.deepEqual([calls, statements], [[], []])
  })

  it('lets a throw of a hook out and asks no later hook', async () => {
    const calls: string[] = []
    const failing: CommitHooks = {
      ...recordingHooks(calls),
      beforeCommit: () => Promise.reject(new Error('no')),
    }
    const unit = new UnitOfWork([failing, recordingHooks(calls)])
    unit.record(change('a'))
    await assert.rejects(unit.beforeCommit(recordingTx([])), /^Error: no$/)
    assert.deepEqual(calls, [])
  })

  it('forgets its changes after a rollback, once the hooks have seen them', async () => {
    const calls: string[] = []
    const unit = new UnitOfWork([recordingHooks(calls)])
    unit.record(change('a'))
    unit.afterRollback()
    await unit.afterCommit()
    assert.deepEqual(calls, ['rollback:a'])
  })

  it('takes part in one COMMIT: a second beforeCommit would announce everything twice', async () => {
    const unit = new UnitOfWork([])
    await unit.beforeCommit()
    await assert.rejects(unit.beforeCommit(), /called twice/)
  })
})
