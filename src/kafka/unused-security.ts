import type { ParameterFault } from './parameter-fault.ts'
import type { KafkaParameterName, KafkaParameterValues } from './parameter-table.ts'
import { usesSasl, usesTls } from './security-protocol.ts'

const loginNames = ['saslMechanism', 'saslJaasConfig'] as const
const certificateNames = [
  'sslKeystoreKey',
  'sslKeystoreCertificateChain',
  'sslTruststoreCertificates',
] as const

/** A login or certificates that `securityProtocol` makes no use of. Kafka's clients ignore them, so this is no fault; but whoever writes them expects
 *  that records do not go out without. */
export function unusedSecurity(values: KafkaParameterValues): readonly ParameterFault[] {
  const { securityProtocol = 'PLAINTEXT' } = values
  const given = (names: readonly KafkaParameterName[]): readonly KafkaParameterName[] =>
    names.filter((name) => values[name] !== undefined && values[name] !== '')
  const unused = [
    ...(usesSasl(values) ? [] : given(loginNames)),
    ...(usesTls(values) ? [] : given(certificateNames)),
  ]
  if (unused.length === 0) return []
  const message = `securityProtocol ${securityProtocol} makes no use of ${unused.join(' and ')}: records go out without. A login needs SASL_SSL or SASL_PLAINTEXT, certificates need SSL or SASL_SSL.`
  return [{ parameter: 'securityProtocol', message }]
}
