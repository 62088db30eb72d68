import type { Change, FhirHost, FhirResource, Interaction, Principal } from '../host/types.ts'
import { interactions } from '../host/types.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { refusedParameter, type OperationInput } from './operation-input.ts'

const storedReference =
  /^(?<current>(?<type>[A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64})(?<version>\/_history\/[A-Za-z0-9\-.]{1,64})?$/

/** Reads stored resources for a caller. */
export interface CallerReads {
  readonly host: Pick<FhirHost, 'authorize' | 'read' | 'history'>
  readonly principal: Principal | undefined
}

/** The change that an operation is asked about.
 *  @throws OperationOutcomeError 401, 403, 422 that names the parameter */
export async function askedChange(reads: CallerReads, input: OperationInput): Promise<Change> {
  const current = await stateOf('current', reads, input)
  const previous = await stateOf('previous', reads, input)
  const interaction = input.code('interaction', interactions) ?? derived(current, previous)
  checkStates(interaction, { current, previous })
  const state = current ?? previous
  if (!state) throw refusedParameter('current', 'required', 'Give current, previous or both.')
  return {
    interaction,
    resourceType: state.resourceType,
    id: current?.id ?? previous?.id ?? '',
    ...(current ? { current } : {}),
    ...(previous ? { previous } : {}),
    ...(current?.meta?.versionId === undefined ? {} : { versionId: current.meta.versionId }),
  }
}

interface States {
  readonly current: FhirResource | undefined
  readonly previous: FhirResource | undefined
}

function derived(current?: FhirResource, previous?: FhirResource): Interaction {
  if (!previous) return 'create'
  return current ? 'update' : 'delete'
}

const wantedStates = {
  create: { current: true, previous: false },
  update: { current: true, previous: true },
  delete: { current: false, previous: true },
} as const satisfies Record<Interaction, Record<keyof States, boolean>>

function checkStates(interaction: Interaction, states: States): void {
  for (const name of ['current', 'previous'] as const) {
    const isWanted = wantedStates[interaction][name]
    if (isWanted === (states[name] !== undefined)) continue
    const text = isWanted ? `Give ${name} too` : `Leave out ${name}`
    throw refusedParameter(
      name,
      isWanted ? 'required' : 'invalid',
      `${text}: it is ${interaction}.`,
    )
  }
  const { current, previous } = states
  if (!current || !previous) return
  const isSameType = current.resourceType === previous.resourceType
  const isSameId =
    current.id === undefined || previous.id === undefined || current.id === previous.id
  if (isSameType && isSameId) return
  throw refusedParameter('previous', 'invalid', 'Give previous as a version of the same resource.')
}

async function stateOf(
  name: keyof States,
  reads: CallerReads,
  input: OperationInput,
): Promise<FhirResource | undefined> {
  const given = input.referenceOrResource(name)
  const reference = typeof given === 'string' ? storedReference.exec(given)?.groups : undefined
  const type = typeof given === 'string' ? reference?.['type'] : given?.resourceType
  if (type === topicTypeName || type === destinationTypeName) {
    const text = `Give ${name} of another type: changes of ${type} make no events.`
    throw refusedParameter(name, 'value', text)
  }
  if (typeof given !== 'string') return given
  const { current, version } = reference ?? {}
  if (current === undefined) {
    const text = `Write ${name} as a reference such as Patient/1 or Patient/1/_history/3.`
    throw refusedParameter(name, 'value', text)
  }
  const { host, principal } = reads
  await host.authorize?.(principal, version === undefined ? 'read' : 'vread', current)
  const found = await readStored(host, current, version)
  if (found === 'unknown') {
    const text = 'This server keeps no versions that could be read; give the resource itself.'
    throw refusedParameter(name, 'not-supported', text)
  }
  if (found) return found
  throw refusedParameter(name, 'not-found', `There is no ${given}.`)
}

/** @param version `/_history/3`
 *  @returns `unknown`: an older version, and the host keeps none */
async function readStored(
  host: CallerReads['host'],
  current: string,
  version: string | undefined,
): Promise<FhirResource | 'unknown' | undefined> {
  if (version !== undefined && host.history) {
    const reference = `${current}${version}`
    return (await host.history.read([reference])).get(reference)
  }
  const found = (await host.read([current])).get(current)
  if (version === undefined || version === `/_history/${found?.meta?.versionId}`) return found
  return 'unknown'
}

/** `host.read` for a criteria: it sees what the caller may read, and `refusal` holds why it did not. */
export class CallerRead {
  refusal: Error | undefined
  readonly #reads: CallerReads

  constructor(reads: CallerReads) {
    this.#reads = reads
  }

  readonly read: FhirHost['read'] = async (references) => {
    const { host, principal } = this.#reads
    try {
      for (const reference of references) await host.authorize?.(principal, 'read', reference)
    } catch (error) {
      this.refusal ??= error instanceof Error ? error : new Error(String(error))
      throw error
    }
    return host.read(references)
  }
}
