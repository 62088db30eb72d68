import { TopologyError } from './finding.ts'

/** A cluster that refused or did not answer. */
export class ClusterFailure extends TopologyError {
  override readonly name: string = 'ClusterFailure'
  /** The principal has no right to what was asked. */
  readonly isUnauthorized: boolean

  constructor(message: string, isUnauthorized: boolean, cause: unknown) {
    super(message, { cause })
    this.isUnauthorized = isUnauthorized
  }
}

/** The client nests what happened in errors of errors, one for each attempt; what is at their ends says why. */
export function clusterFailure(whatFailed: string, error: unknown): ClusterFailure {
  const reasons = new Set<string>()
  collect(error, reasons)
  const text = [...reasons].join('; ')
  const isUnauthorized = /_AUTHORIZATION_FAILED/.test(text)
  return new ClusterFailure(`${whatFailed}: ${text}.`, isUnauthorized, error)
}

function collect(error: unknown, reasons: Set<string>): void {
  const { errors, cause } = error as { errors?: unknown; cause?: unknown }
  const inner: unknown[] = Array.isArray(errors) ? [...(errors as unknown[])] : []
  if (cause !== undefined) inner.push(cause)
  if (inner.length > 0) {
    for (const one of inner) collect(one, reasons)
  } else reasons.add(reasonOf(error))
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { apiId, serverErrorMessage } = error as { apiId?: unknown; serverErrorMessage?: unknown }
  const words = typeof serverErrorMessage === 'string' ? serverErrorMessage : error.message
  return [...(typeof apiId === 'string' ? [apiId] : []), words.replace(/\.+$/, '')]
    .filter((part) => part !== '')
    .join(': ')
}
