import type { Pool } from 'pg'
import { fromPg, type OwnTypesHost } from '../../src/index.ts'
import { deleteResource, putResource, type StoredResource } from './resource-table.ts'

/** Writes of one open transaction. */
export interface Writes {
  put(resource: StoredResource): Promise<StoredResource>
  /** @returns false when there is no such resource */
  delete(type: string, id: string): Promise<boolean>
}

export type RunTransaction = <Result>(work: (writes: Writes) => Promise<Result>) => Promise<Result>

/** The service's transactions. Those of the host's types do not pass here; they commit by themselves. */
export function transactions(pool: Pool, host: OwnTypesHost): RunTransaction {
  return async (work) => {
    const unit = host.unitOfWork()
    const client = await pool.connect()
    let result
    try {
      await client.query('begin isolation level read committed')
      result = await work({
        put: async (resource) => {
          const { change, current } = await putResource(client, resource)
          if (change) unit.record(change)
          return current
        },
        delete: async (type, id) => {
          const change = await deleteResource(client, type, id)
          if (change) unit.record(change)
          return change !== undefined
        },
      })
      await unit.beforeCommit(fromPg(client))
      const { command } = await client.query('commit')
      if (command !== 'COMMIT') throw new Error('A statement failed, and COMMIT rolled back.')
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      unit.afterRollback()
      throw error
    } finally {
      client.release()
    }
    await unit.afterCommit()
    return result
  }
}
