import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirHost, FhirResource, WriteRequest } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import { keepSecrets } from '../resources/secret-parameters.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import type { DestinationPreflight } from './destination-preflight.ts'

export interface PreflightBeforeWriteParts {
  readonly host: Pick<FhirHost, 'read'>
  readonly preflight: Pick<DestinationPreflight, 'issuesOf'>
  /** What is done without being asked for. */
  readonly policy: 'off' | 'warn' | 'require'
  readonly logger: Logger
}

/** What a host calls before it writes a destination: with `?_preflight=true`, or where the policy requires it, its problems refuse the write. */
export function preflightBeforeWrite({
  host,
  preflight,
  policy,
  logger,
}: PreflightBeforeWriteParts): (
  resource: FhirResource,
  request: WriteRequest,
) => Promise<readonly OperationOutcomeIssue[]> {
  const look = async (resource: FhirResource): Promise<readonly OperationOutcomeIssue[]> => {
    const reference = `${destinationTypeName}/${resource.id ?? ''}`
    const previous =
      resource.id === undefined ? undefined : (await host.read([reference])).get(reference)
    // A secret that is written back masked is the stored one.
    return preflight.issuesOf(keepSecrets(resource, previous), previous)
  }
  return async (resource, { query }) => {
    if (isAskedFor(query) || policy === 'require') return look(resource)
    if (policy === 'warn') void warn(look(resource), resource, logger)
    return []
  }
}

function isAskedFor({ _preflight: asked }: WriteRequest['query']): boolean {
  return [asked].flat().includes('true')
}

/** The write does not wait for it. */
async function warn(
  looking: Promise<readonly OperationOutcomeIssue[]>,
  { id }: FhirResource,
  logger: Logger,
): Promise<void> {
  const destination = `${destinationTypeName}/${id ?? ''}`
  try {
    for (const { severity, details } of await looking) {
      if (severity === 'information') continue
      logger.warn(
        { destination, cause: details?.text },
        'the preflight of a destination found a problem',
      )
    }
  } catch (error) {
    logger.warn({ err: error, destination }, 'a destination could not be looked at')
  }
}
