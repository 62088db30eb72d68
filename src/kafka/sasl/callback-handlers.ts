import type { ParameterFault } from '../parameter-fault.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'

/** Classes that `saslClientCallbackHandlerClass` may name, and the mechanisms they go with. None is loaded: what they do in Java is built here,
 *  by mechanism. */
const handlers: Readonly<Record<string, readonly string[]>> = {
  'software.amazon.msk.auth.iam.IAMClientCallbackHandler': ['AWS_MSK_IAM'],
  'org.apache.kafka.common.security.oauthbearer.internals.OAuthBearerSaslClientCallbackHandler': [
    'OAUTHBEARER',
  ],
  // A handler of the login, since Kafka 4 without "secured"; there is no other parameter to name it in.
  'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler': ['OAUTHBEARER'],
  'org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler': [
    'OAUTHBEARER',
  ],
  'org.apache.kafka.common.security.authenticator.SaslClientCallbackHandler': [
    'PLAIN',
    'SCRAM-SHA-256',
    'SCRAM-SHA-512',
    'GSSAPI',
  ],
}

export function callbackHandlerFaults(values: KafkaParameterValues): readonly ParameterFault[] {
  const { saslClientCallbackHandlerClass: written, saslMechanism } = values
  if (!written) return []
  const parameter = 'saslClientCallbackHandlerClass'
  const mechanisms = Object.hasOwn(handlers, written) ? handlers[written] : undefined
  if (!mechanisms) {
    const message = `saslClientCallbackHandlerClass must be one of ${Object.keys(handlers).join(', ')}, or left out; no class is loaded.`
    return [{ parameter, message }]
  }
  if (saslMechanism === undefined || mechanisms.includes(saslMechanism)) return []
  const message = `saslClientCallbackHandlerClass goes with ${mechanisms.join(', ')}; leave it out with saslMechanism ${saslMechanism}.`
  return [{ parameter, message }]
}
