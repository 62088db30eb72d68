import { missingFeature } from '../kafka-features.ts'
import { jaasFaultsOf, missingOptions, type LoginInput, type LoginModule } from './login-module.ts'

const credentials = ['username', 'password'] as const

function login({ options, values }: LoginInput): ReturnType<LoginModule['login']> {
  return {
    properties: {
      'sasl.mechanism': values.saslMechanism ?? '',
      'sasl.username': options.get('username') ?? '',
      'sasl.password': options.get('password') ?? '',
    },
  }
}

export const plainLogin: LoginModule = {
  className: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  mechanisms: ['PLAIN'],
  missing: () => undefined,
  faults: ({ options }) => jaasFaultsOf(missingOptions(options, credentials)),
  login,
}

export const scramLogin: LoginModule = {
  className: 'org.apache.kafka.common.security.scram.ScramLoginModule',
  mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'],
  missing: (features) => missingFeature(features, 'sasl_scram'),
  faults: ({ options }) =>
    jaasFaultsOf(
      missingOptions(options, credentials) ??
        (options.get('tokenauth')?.toLowerCase() === 'true' &&
          'saslJaasConfig: delegation tokens (tokenauth) cannot be used; librdkafka does not know them.'),
    ),
  login,
}
