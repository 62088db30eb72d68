import { forbidden, OperationOutcomeError } from '@medplum/core'
import type { Resource } from '@medplum/fhirtypes'
import type {
  Change,
  CommitHooks,
  CommitUnit,
  FhirHost,
  FhirServerModule,
  Operation,
  OperationRequest,
  SqlTx,
} from '../host/types.ts'
import {
  probeOperationCode,
  probeOperationDefinition,
  probeType,
  probeTypeName,
  probeTypeOperationCode,
  probeTypeOperationDefinition,
  type ValidateCall,
} from './probe-type.ts'

/** One call of a hook, with what the unit held at that moment. */
export interface HookCall {
  readonly hook: keyof CommitHooks
  readonly unit: CommitUnit
  readonly changes: readonly Change[]
}

/** The module that a case loads into the host: it notes what the host does, and does what the case wants in the hooks. */
export class ProbeModule implements FhirServerModule {
  readonly name = 'host-conformance-probe'
  /** In the order they came. Changes of other types (audit records, …) are left out, and units that hold nothing else. */
  readonly calls: HookCall[] = []
  readonly validateCalls: ValidateCall[] = []
  readonly operationRequests: OperationRequest[] = []
  /** Replaced by cases. They run after the call was noted. */
  inBeforeCommit: (unit: CommitUnit, tx: SqlTx | undefined) => Promise<void> = nothing
  inAfterCommit: (unit: CommitUnit) => Promise<void> = nothing
  inAfterRollback: (unit: CommitUnit) => void = () => undefined
  isOperationForbidden = false
  host: FhirHost | undefined
  isStarted = false
  readonly #watchedTypes: ReadonlySet<string>

  constructor(sampleType: string) {
    this.#watchedTypes = new Set([sampleType, probeTypeName])
  }

  /** Hooks in the order they were called. */
  get hooks(): string[] {
    return this.calls.map(({ hook }) => hook)
  }

  /** Every change that was announced as committed. */
  get committed(): Change[] {
    return this.calls.flatMap(({ hook, changes }) => (hook === 'afterCommit' ? changes : []))
  }

  register(host: FhirHost): void {
    this.host = host
    if (host.capabilities.customResourceTypes) {
      host.registerResourceType(probeType(this.validateCalls))
      host.registerOperation(this.#operation(host))
      host.registerOperation(this.#typeOperation())
    }
    host.addCommitHooks({
      beforeCommit: async (unit, tx) => {
        if (this.#note('beforeCommit', unit)) await this.inBeforeCommit(unit, tx)
      },
      afterCommit: async (unit) => {
        if (this.#note('afterCommit', unit)) await this.inAfterCommit(unit)
      },
      afterRollback: (unit) => {
        if (this.#note('afterRollback', unit)) this.inAfterRollback(unit)
      },
    })
  }

  /** Reads what is stored of its type, as every module with types of its own does: a host may make its tables by that. */
  async start(): Promise<void> {
    if (this.host?.capabilities.customResourceTypes) await this.host.list(probeTypeName)
    this.isStarted = true
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #note(hook: keyof CommitHooks, unit: CommitUnit): boolean {
    const changes = unit.changes.filter(({ resourceType }) => this.#watchedTypes.has(resourceType))
    const isKnown = this.calls.some((call) => call.unit === unit)
    if (changes.length === 0 && !isKnown) return false
    this.calls.push({ hook, unit, changes: structuredClone(changes) })
    return true
  }

  #typeOperation(): Operation {
    return {
      code: probeTypeOperationCode,
      resourceType: probeTypeName,
      level: 'type',
      methods: ['POST'],
      definition: probeTypeOperationDefinition,
      handle: (request) => {
        this.operationRequests.push(request)
        const parameter = [{ name: 'level', valueString: 'type' }]
        return Promise.resolve({ resource: { resourceType: 'Parameters', parameter } })
      },
    }
  }

  #operation(host: FhirHost): Operation {
    return {
      code: probeOperationCode,
      resourceType: probeTypeName,
      level: 'instance',
      methods: ['GET', 'POST'],
      definition: probeOperationDefinition,
      handle: async (request) => {
        this.operationRequests.push(request)
        await host.authorize?.(
          request.principal,
          probeOperationCode,
          `${probeTypeName}/${request.id}`,
        )
        if (this.isOperationForbidden) throw new OperationOutcomeError(forbidden)
        const parameter = [{ name: 'id', valueString: request.id ?? '' }]
        const resource: Resource = { resourceType: 'Parameters', parameter }
        return { resource }
      },
    }
  }
}

function nothing(): Promise<void> {
  return Promise.resolve()
}
