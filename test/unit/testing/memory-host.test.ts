import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { Change, CommitHooks, FhirHost, FhirResource } from '../../../src/host/types.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'
import { hostConformance, type HostUnderTest, type HostWrites } from '../../../src/testing/index.ts'

interface Version {
  readonly versionId: number
  readonly current: FhirResource | undefined
}

/** A host without SQL: what a document database with transactions of its own would be. */
class MemoryHost implements FhirHost {
  readonly capabilities = { sqlTransactions: false, customResourceTypes: false } as const
  readonly #hooks: CommitHooks[] = []
  readonly #committed = new Map<string, Version>()

  registerResourceType(): void {
    // It cannot.
  }

  registerOperation(): void {
    // It has no HTTP.
  }

  addCommitHooks(hooks: CommitHooks): void {
    this.#hooks.push(hooks)
  }

  list(resourceType: string): Promise<FhirResource[]> {
    const all = [...this.#committed.values()].flatMap(({ current }) => (current ? [current] : []))
    return Promise.resolve(all.filter((resource) => resource.resourceType === resourceType))
  }

  read(references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    const found = references.flatMap((reference) => {
      const current = this.#committed.get(reference)?.current
      return current ? ([[reference, current]] as const) : []
    })
    return Promise.resolve(new Map(found))
  }

  async transaction(work: (writes: HostWrites) => Promise<void>): Promise<void> {
    const written = new Map<string, Version>()
    const unit = new UnitOfWork(this.#hooks)
    try {
      await work(this.#writes(written, unit))
      await unit.beforeCommit()
    } catch (error) {
      unit.afterRollback()
      throw error
    }
    for (const [reference, version] of written) this.#committed.set(reference, version)
    await unit.afterCommit()
  }

  #writes(written: Map<string, Version>, unit: UnitOfWork): HostWrites {
    const before = (reference: string) => written.get(reference) ?? this.#committed.get(reference)
    const update = (resource: FhirResource): Promise<FhirResource> => {
      const { resourceType } = resource
      const id = resource.id ?? randomUUID()
      const reference = `${resourceType}/${id}`
      const { versionId = 0, current: previous } = before(reference) ?? {}
      if (previous && isDeepStrictEqual(contentOf(resource), contentOf(previous))) {
        return Promise.resolve(previous)
      }
      const version = { versionId: String(versionId + 1), lastUpdated: new Date().toISOString() }
      const current = { ...resource, id, meta: { ...resource.meta, ...version } }
      written.set(reference, { versionId: versionId + 1, current })
      const change: Change = {
        interaction: previous ? 'update' : 'create',
        resourceType,
        id,
        current,
        ...(previous ? { previous } : {}),
      }
      unit.record(change)
      return Promise.resolve(current)
    }
    return {
      create: update,
      update,
      delete(resourceType, id) {
        const reference = `${resourceType}/${id}`
        const { versionId = 0, current: previous } = before(reference) ?? {}
        if (previous) {
          written.set(reference, { versionId: versionId + 1, current: undefined })
          unit.record({ interaction: 'delete', resourceType, id, previous })
        }
        return Promise.resolve()
      },
    }
  }
}

const memoryHost: HostUnderTest = {
  async start(module) {
    const host = new MemoryHost()
    module.register(host)
    await module.start()
    const alone = async <Result>(
      work: (writes: HostWrites) => Promise<Result>,
    ): Promise<Result> => {
      const results: Result[] = []
      await host.transaction(async (writes) => {
        results.push(await work(writes))
      })
      return results[0] as Result
    }
    return {
      writes: {
        create: (resource) => alone((writes) => writes.create(resource)),
        update: (resource) => alone((writes) => writes.update(resource)),
        delete: (resourceType, id) => alone((writes) => writes.delete(resourceType, id)),
      },
      transaction: (work) => host.transaction(work),
      stop: () => module.stop(),
    }
  },
  lacks: {
    history: 'it keeps no versions',
    references: 'it is of no use to this suite',
    sqlTransactions: 'it is no SQL database',
    savepoints: 'it has none',
    statements: 'it is no SQL database',
    retries: 'one transaction at a time cannot lose a race',
    patch: 'it has no PATCH',
    rest: 'it has no HTTP',
    bundles: 'it has no HTTP',
    requestHeaders: 'it has no HTTP',
    customResourceTypes: 'left out',
    refusedCaller: 'it has no HTTP',
  },
}

function contentOf(resource: FhirResource): FhirResource {
  return {
    ...resource,
    id: '',
    meta: { ...resource.meta, versionId: '', lastUpdated: '' },
  }
}

describe('host conformance: a host without SQL transactions', () => {
  for (const { name, skip, run } of hostConformance(memoryHost)) it(name, { skip }, run)
})
