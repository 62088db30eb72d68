import { parseJaas } from '../jaas.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'
import type { SaslLogin } from './login-module.ts'
import { loginModuleOf } from './login-modules.ts'

/** How values without faults log in; undefined without SASL. */
export function saslLogin(values: KafkaParameterValues): SaslLogin | undefined {
  const { securityProtocol = 'PLAINTEXT', saslMechanism, saslJaasConfig = '' } = values
  if (!securityProtocol.toUpperCase().startsWith('SASL')) return undefined
  const [entry] = parseJaas(saslJaasConfig)
  return entry && loginModuleOf(saslMechanism)?.login({ options: entry.options, values })
}
