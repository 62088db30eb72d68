import { parseJaas } from '../jaas.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'
import { usesSasl } from '../security-protocol.ts'
import type { SaslLogin } from './login-module.ts'
import { loginModuleOf } from './login-modules.ts'

/** How values without faults log in; undefined without SASL. */
export function saslLogin(values: KafkaParameterValues): SaslLogin | undefined {
  if (!usesSasl(values)) return undefined
  const { saslMechanism, saslJaasConfig = '' } = values
  const [entry] = parseJaas(saslJaasConfig)
  return entry && loginModuleOf(saslMechanism)?.login({ options: entry.options, values })
}
