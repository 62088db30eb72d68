import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { isTopicDestinationError } from '../errors.ts'
import type { FhirResource } from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import { validityNotices } from '../kafka/certificate-validity.ts'
import type { KeyStore } from '../kafka/key-store.ts'
import { parameterFaults } from '../kafka/parameter-faults.ts'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterName,
  type KafkaParameterValues,
} from '../kafka/parameter-table.ts'
import { noTokenEndpoint, tokenEndpointFaults } from '../kafka/token-endpoints.ts'
import { unusedSecurity } from '../kafka/unused-security.ts'
import { refusal } from './issue.ts'
import { isJsonObject } from './json-shapes.ts'
import { parameterContent, type ParameterContent } from './parameter-content.ts'
import type { SecretSource } from './secrets.ts'
import { destinationTypeName } from './type-names.ts'

const parameterPath = `${destinationTypeName}.parameter`
const secretParameterNames = kafkaParameterNames.filter((name) => kafkaParameters[name].secret)

/** Values of a destination's parameters, secrets in clear; or what is wrong with them. */
type ParameterReading =
  | { readonly issues: readonly OperationOutcomeIssue[]; readonly values?: undefined }
  | { readonly issues?: undefined; readonly values: KafkaParameterValues }

/** Reads the parameters of a destination against the table and resolves secret references.
 *
 *  Silent about what the structure of the type forbids already (no name, a value of the wrong JSON type). */
export function readParameters(
  resource: FhirResource,
  secrets: Pick<SecretSource, 'resolve'>,
): ParameterReading {
  const entries: unknown = resource['parameter']
  const reading = new ParameterReader(resource, secrets)
  if (Array.isArray(entries)) entries.forEach((entry, index) => reading.add(entry, index))
  return reading.finish()
}

/** Semantic checks that need every value: names of topics, servers, login entries, certificates, timeouts. */
export function valueIssues(
  values: KafkaParameterValues,
  { isServerAllowed, isTokenEndpointAllowed = noTokenEndpoint }: AllowedPlaces = {},
): readonly OperationOutcomeIssue[] {
  return [
    ...parameterFaults(values, undefined, isServerAllowed),
    ...tokenEndpointFaults(values, isTokenEndpointAllowed),
  ].map(({ parameter, message }) => refusal('value', message, valuePath(parameter)))
}

/** What a write of these certificates is refused for or, when they end soon, warned of. */
export function validityIssues(values: KafkaParameterValues): readonly OperationOutcomeIssue[] {
  return validityNotices(values).map(({ parameter, message, isOutside }) => ({
    ...refusal('value', message, valuePath(parameter)),
    severity: isOutside ? 'error' : 'warning',
  }))
}

/** What a write is warned of: a login or certificates that do nothing. */
export function unusedIssues(values: KafkaParameterValues): readonly OperationOutcomeIssue[] {
  return unusedSecurity(values).map(({ parameter, message }) => ({
    ...refusal('business-rule', message, valuePath(parameter)),
    severity: 'warning',
  }))
}

class ParameterReader {
  readonly #resource: FhirResource
  readonly #secrets: Pick<SecretSource, 'resolve'>
  readonly #seen = new Set<KafkaParameterName>()
  readonly #values: Partial<Record<KafkaParameterName, string | number | boolean | KeyStore>> = {}
  readonly #issues: OperationOutcomeIssue[] = []

  constructor(resource: FhirResource, secrets: Pick<SecretSource, 'resolve'>) {
    this.#resource = resource
    this.#secrets = secrets
  }

  add(entry: unknown, index: number): void {
    if (!isJsonObject(entry) || typeof entry['name'] !== 'string') return
    const name = kafkaParameterNames.find((known) => known === entry['name'])
    const path = `${parameterPath}[${index}]`
    if (name === undefined) {
      this.#issues.push(unknownParameter(entry['name'], path))
    } else if (this.#seen.has(name)) {
      this.#issues.push(
        refusal('duplicate', `Write the parameter ${name} once; this is a second one.`, path),
      )
    } else {
      this.#seen.add(name)
      this.#readEntry(name, parameterContent(entry))
    }
  }

  finish(): ParameterReading {
    for (const name of kafkaParameterNames) {
      if (kafkaParameters[name].required && !this.#seen.has(name)) {
        const text = `The parameter ${name} is missing; add it as ${kafkaParameters[name].canonicalFhirType}.`
        this.#issues.push(refusal('required', text, `${parameterPath}.where(name='${name}')`))
      }
    }
    if (this.#issues.length > 0) return { issues: this.#issues }
    const inTableOrder = kafkaParameterNames
      .filter((name) => this.#values[name] !== undefined)
      .map((name) => [name, this.#values[name]])
    // Names, types and what is required have been checked against the table.
    return { values: Object.fromEntries(inTableOrder) as KafkaParameterValues }
  }

  #readEntry(name: KafkaParameterName, content: ParameterContent): void {
    const fault = shapeFault(name, content)
    if (fault) {
      this.#issues.push(fault)
      return
    }
    const [secretName] = content.secretNames
    if (secretName !== undefined) {
      const secret = this.#resolve(name, secretName)
      if (secret !== undefined) this.#values[name] = secret
      return
    }
    const { value } = content
    const isScalar =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    if (isScalar) this.#values[name] = value
  }

  #resolve(name: KafkaParameterName, secretName: string): string | KeyStore | undefined {
    const { resourceType, id = '' } = this.#resource
    try {
      const secret = this.#secrets.resolve(secretName, resourceType, id)
      if (typeof secret === 'string' || name === 'sslKeystoreKey') return secret
      const text = `${name} refers to a key store; only sslKeystoreKey may.`
      this.#issues.push(refusal('value', text, valuePath(name)))
      return undefined
    } catch (error) {
      if (!isTopicDestinationError(error)) throw error
      this.#issues.push(refusal('value', error.message, valuePath(name)))
      return undefined
    }
  }
}

/** FHIRPath of a parameter's value. */
export function valuePath(name: KafkaParameterName): string {
  return `${parameterPath}.where(name='${name}').value`
}

function unknownParameter(written: string, path: string): OperationOutcomeIssue {
  const meant = kafkaParameterNames.find((name) => name.toLowerCase() === written.toLowerCase())
  const advice = meant
    ? `write it as ${meant}`
    : `write one of ${kafkaParameterNames.join(', ')}, or leave it out`
  const text = `A Kafka destination has no parameter of this name; ${advice}.`
  return refusal('not-supported', text, `${path}.name`)
}

/** What is wrong with the form of the value: absent, doubled, of another type, or hidden where nothing may be hidden. */
function shapeFault(
  name: KafkaParameterName,
  { valueNames, value, secretNames, isMasked }: ParameterContent,
): OperationOutcomeIssue | undefined {
  const { fhirTypes, canonicalFhirType, secret } = kafkaParameters[name]
  const accepted: readonly string[] = fhirTypes
  const [valueName] = valueNames
  const path = valuePath(name)
  if (valueName === undefined) {
    return refusal('required', `The parameter ${name} needs a ${canonicalFhirType}.`, path)
  }
  if (valueNames.length > 1) {
    const text = `Write exactly one value for ${name}, not ${valueNames.length}: ${canonicalFhirType}.`
    return refusal('structure', text, path)
  }
  if (!accepted.includes(valueName)) {
    const text = `Write ${name} as ${canonicalFhirType}${alternatives(accepted)}.`
    return refusal('value', text, path)
  }
  const isHidden = isMasked || secretNames.length > 0
  if (value !== undefined) {
    if (!isHidden) return undefined
    const text = `Write either a value for ${name} or a secret reference, not both.`
    return refusal('invalid', text, path)
  }
  if (isHidden && !secret) {
    const text = `Write the value of ${name} itself; only ${secretParameterNames.join(', ')} may be masked or refer to a secret.`
    return refusal('not-supported', text, path)
  }
  if (secretNames.length === 1) return undefined
  if (secretNames.length > 1) {
    return refusal('structure', `Write exactly one secret reference for ${name}.`, path)
  }
  const text = isMasked
    ? `There is no stored value of ${name} that could be kept, or the brokers have changed or the token endpoint; write the value or a secret reference.`
    : `The parameter ${name} needs a ${canonicalFhirType}.`
  return refusal('required', text, path)
}

function alternatives([, ...others]: readonly string[]): string {
  return others.length === 0 ? '' : ` (${others.join(', ')} will do as well)`
}
