import type { FhirResource } from '../host/types.ts'
import { kafkaParameters } from '../kafka/parameter-table.ts'
import { isJsonObject, objectsIn, type JsonObject } from './json-shapes.ts'
import { maskedEntry, parameterContent, unmaskedEntry } from './parameter-content.ts'

/** A destination as a client may see it: plain secrets masked, references as they are. */
export function maskSecrets(resource: FhirResource): FhirResource {
  return mapParameters(resource, (entry) => (isSecret(entry) ? maskedEntry(entry) : entry))
}

/** They decide who is shown the secrets. */
const receiverParameters = [
  'bootstrapServers',
  'securityProtocol',
  'sslTruststoreCertificates',
  'saslOauthbearerTokenEndpointUrl',
]

/** A destination as it is stored: a secret that came back masked gets the value that is stored already.
 *
 *  Not when it would be sent elsewhere: who may write a destination but not read its secrets could point it to a broker of their own
 *  and be told them there. */
export function keepSecrets(
  resource: FhirResource,
  previous: FhirResource | undefined,
): FhirResource {
  const isSameReceiver = receiverParameters.every(
    (name) => valueOf(resource, name) === valueOf(previous, name),
  )
  if (!isSameReceiver) return resource
  return mapParameters(resource, (entry) => {
    const stored = isSecret(entry) && isMaskOnly(entry) ? storedSecret(entry, previous) : undefined
    return stored ? unmaskedEntry(entry, stored) : entry
  })
}

/** Whether the entry says "as before": masked, with neither value nor reference. */
function isMaskOnly(entry: JsonObject): boolean {
  const { value, secretNames, isMasked } = parameterContent(entry)
  return isMasked && value === undefined && secretNames.length === 0
}

function storedSecret(
  { name }: JsonObject,
  previous: FhirResource | undefined,
): JsonObject | undefined {
  return objectsIn(previous?.['parameter']).find(
    (entry) => entry['name'] === name && typeof parameterContent(entry).value === 'string',
  )
}

function valueOf(resource: FhirResource | undefined, name: string): unknown {
  const entry = objectsIn(resource?.['parameter']).find((one) => one['name'] === name)
  return entry && parameterContent(entry).value
}

function isSecret({ name }: JsonObject): boolean {
  return Object.entries(kafkaParameters).some(([known, { secret }]) => secret && known === name)
}

function mapParameters(
  resource: FhirResource,
  map: (entry: JsonObject) => JsonObject,
): FhirResource {
  const parameters: unknown = resource['parameter']
  if (!Array.isArray(parameters)) return resource
  const mapped = parameters.map((entry: unknown) => (isJsonObject(entry) ? map(entry) : entry))
  const isSame = mapped.every((entry, index) => entry === parameters[index])
  return isSame ? resource : { ...resource, parameter: mapped }
}
