import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaParameterName } from '../../../src/kafka/parameter-table.ts'
import type { KafkaAddresses } from '../../helpers/kafka.ts'
import type { TokenEndpoint } from '../../helpers/token-endpoint.ts'

/** Values of these parameters. */
type Values<Name extends KafkaParameterName> = Readonly<Record<Name, string>>

/** Classes that saslJaasConfig names, by mechanism. */
export const loginModules = {
  PLAIN: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  'SCRAM-SHA-256': 'org.apache.kafka.common.security.scram.ScramLoginModule',
  'SCRAM-SHA-512': 'org.apache.kafka.common.security.scram.ScramLoginModule',
  OAUTHBEARER: 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule',
  AWS_MSK_IAM: 'software.amazon.msk.auth.iam.IAMLoginModule',
} as const

export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type ScramMechanism = (typeof scramMechanisms)[number]
export type PasswordMechanism = 'PLAIN' | ScramMechanism
export const passwordMechanisms: readonly PasswordMechanism[] = ['PLAIN', ...scramMechanisms]

export function jaas(mechanism: keyof typeof loginModules, options: string): string {
  return `${loginModules[mechanism]} required ${options};`
}

export function passwordLogin(
  mechanism: PasswordMechanism,
  user: string,
  password: string,
): Values<'saslMechanism' | 'saslJaasConfig'> {
  return {
    saslMechanism: mechanism,
    saslJaasConfig: jaas(mechanism, `username="${user}" password="${password}"`),
  }
}

/** @param more options of the login module */
export function tokenLogin(
  { url, clientId, clientSecret: known }: TokenEndpoint,
  { clientSecret = known, more = '' }: { clientSecret?: string; more?: string } = {},
): Values<'saslMechanism' | 'saslJaasConfig' | 'saslOauthbearerTokenEndpointUrl'> {
  const client = `clientId="${clientId}" clientSecret="${clientSecret}" ${more}`.trim()
  return {
    saslMechanism: 'OAUTHBEARER',
    saslJaasConfig: jaas('OAUTHBEARER', client),
    saslOauthbearerTokenEndpointUrl: url,
  }
}

/** Of the test broker's authority and what it has signed: `test-ca.crt`, `client.key`. */
export function certificateFile({ certificates }: KafkaAddresses, name: string): string {
  return readFileSync(join(certificates, name), 'utf8')
}

export function trusting(kafka: KafkaAddresses): Values<'sslTruststoreCertificates'> {
  return { sslTruststoreCertificates: certificateFile(kafka, 'test-ca.crt') }
}

type Listener = 'bootstrapServers' | 'securityProtocol'

/** The listener with SASL in the clear. */
export function saslListener({
  saslBootstrapServers: bootstrapServers,
}: KafkaAddresses): Values<Listener> {
  return { bootstrapServers, securityProtocol: 'SASL_PLAINTEXT' }
}

/** The listener with SASL over TLS. */
export function saslTlsListener(
  kafka: KafkaAddresses,
): Values<Listener | 'sslTruststoreCertificates'> {
  const { saslSslBootstrapServers: bootstrapServers } = kafka
  return { bootstrapServers, securityProtocol: 'SASL_SSL', ...trusting(kafka) }
}

/** The listener that asks for a client certificate. */
export function mutualTlsListener(
  kafka: KafkaAddresses,
): Values<Listener | 'sslTruststoreCertificates'> {
  const { mtlsBootstrapServers: bootstrapServers } = kafka
  return { bootstrapServers, securityProtocol: 'SSL', ...trusting(kafka) }
}

/** @param name `client`, signed by the broker's authority; `rogue`, by another one */
export function clientCertificate(
  kafka: KafkaAddresses,
  name: 'client' | 'rogue' = 'client',
): Values<'sslKeystoreCertificateChain' | 'sslKeystoreKey'> {
  return {
    sslKeystoreCertificateChain: certificateFile(kafka, `${name}.crt`),
    sslKeystoreKey: certificateFile(kafka, `${name}.key`),
  }
}
