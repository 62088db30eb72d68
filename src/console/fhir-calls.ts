import type { FhirResource } from '../host/types.ts'
import { isJsonObject, objectsIn } from '../resources/json-shapes.ts'
import type { ConsoleCaller, ConsoleFhirAnswer, ConsoleOptions } from './console-options.ts'
import { ConsoleError } from './console-error.ts'

export interface FhirCall {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly url: string
  /** @default none */
  readonly body?: unknown
  /** @default 'application/fhir+json' */
  readonly contentType?: string
}

/** Asks the FHIR server for the caller. The answer of the server, whatever its status. */
export async function callFhir(
  fhir: ConsoleOptions['fhir'],
  caller: ConsoleCaller,
  { method, url, body, contentType = 'application/fhir+json' }: FhirCall,
): Promise<ConsoleFhirAnswer> {
  const answer = await fhir({
    method,
    url,
    headers: body === undefined ? {} : { 'content-type': contentType },
    readBody: () => Promise.resolve(body === undefined ? undefined : { parsed: body }),
    principal: caller.principal,
  })
  return answer ?? { status: 404 }
}

/** The resource that the server answers.
 *  @throws {@link ConsoleError} with the status and the words of the server */
export async function fhirResource(
  fhir: ConsoleOptions['fhir'],
  caller: ConsoleCaller,
  call: FhirCall,
): Promise<FhirResource> {
  const { status, body } = await callFhir(fhir, caller, call)
  // What a FHIR server answers of these calls when it does them.
  if (status >= 200 && status < 300 && isJsonObject(body)) return body as FhirResource
  throw new ConsoleError(
    refusedStatus(status),
    outcomeText(body) ?? `The FHIR server answered ${status}.`,
  )
}

/** 401 would end the session of the browser, which is well. */
function refusedStatus(status: number): number {
  if (status === 401) return 403
  return status >= 400 ? status : 502
}

/** What an OperationOutcome says. */
export function outcomeText(body: unknown): string | undefined {
  const issues = isJsonObject(body) ? objectsIn(body['issue']) : []
  const texts = issues.flatMap(({ details, diagnostics }) => {
    const text = isJsonObject(details) ? details['text'] : diagnostics
    return typeof text === 'string' ? [text] : []
  })
  return texts.length === 0 ? undefined : texts.join(' ')
}
