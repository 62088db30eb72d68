import type { ContractServer, NamedParameter } from './contract-server.ts'

/** The vault configuration of the contract's server: names of secrets with their scopes. The file of a secret has its name. */
export const vaultScopes = {
  jaas: { resource_type: 'AidboxTopicDestination' },
  'jaas-of-one': { resource_type: 'AidboxTopicDestination', id: 'secret-one' },
  'jaas-of-client': { resource_type: 'Client' },
  key: { resource_type: 'AidboxTopicDestination' },
  'key-password': { resource_type: 'AidboxTopicDestination' },
  'key-store': { resource_type: 'AidboxTopicDestination' },
} as const

export type SecretName = keyof typeof vaultScopes

export const maskedReason = {
  url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
  valueCode: 'masked',
}

export function secretReference(parameter: string, secret: string): NamedParameter {
  const reference = { url: 'http://health-samurai.io/fhir/secret-reference', valueString: secret }
  return { name: parameter, _valueString: { extension: [maskedReason, reference] } }
}

/** A login entry that the broker takes; with another password it does not. */
export function validLogin({ kafka }: ContractServer, password?: string): string {
  const told = password ?? kafka.users['admin'] ?? ''
  return `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="${told}";`
}
