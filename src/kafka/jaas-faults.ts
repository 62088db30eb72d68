import { JaasSyntaxError, parseJaas, type JaasEntry } from './jaas.ts'
import type { ParameterFault } from './parameter-faults.ts'
import type { KafkaParameterName, KafkaParameterValues } from './parameter-table.ts'

const loginModules: Readonly<Record<string, string>> = {
  PLAIN: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  'SCRAM-SHA-256': 'org.apache.kafka.common.security.scram.ScramLoginModule',
  'SCRAM-SHA-512': 'org.apache.kafka.common.security.scram.ScramLoginModule',
}
const unsupportedMechanisms: ReadonlySet<string> = new Set(['GSSAPI', 'OAUTHBEARER', 'AWS_MSK_IAM'])

/** SASL: a known mechanism, and a JAAS entry that fits it. The sasl… parameters have no effect without SASL, as in Java, but a JAAS text
 *  that cannot be read and a mechanism this version lacks are told in any case. */
export function jaasFaults(
  values: KafkaParameterValues,
  features: readonly string[],
): readonly ParameterFault[] {
  const { saslMechanism, saslJaasConfig, securityProtocol = 'PLAINTEXT' } = values
  const isSasl = securityProtocol.toUpperCase().startsWith('SASL')
  const unsupported = [...mechanismFaults(saslMechanism), ...handlerFaults(values)]
  if (unsupported.length > 0) return unsupported
  if (saslMechanism === undefined) {
    const message = `securityProtocol ${securityProtocol} needs saslMechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.`
    if (isSasl) return [fault('saslMechanism', message)]
  } else if (saslMechanism.startsWith('SCRAM') && !features.includes('sasl_scram')) {
    const message =
      'This build of node-rdkafka has no SCRAM; install libssl-dev and run "npm rebuild node-rdkafka".'
    return [fault('saslMechanism', message)]
  }
  if (!saslJaasConfig) {
    return isSasl
      ? [fault('saslJaasConfig', `securityProtocol ${securityProtocol} needs saslJaasConfig.`)]
      : []
  }
  return entryFaults(saslJaasConfig, isSasl ? saslMechanism : undefined)
}

function fault(parameter: KafkaParameterName, message: string): ParameterFault {
  return { parameter, message }
}

function mechanismFaults(saslMechanism: string | undefined): readonly ParameterFault[] {
  if (saslMechanism === undefined || !unsupportedMechanisms.has(saslMechanism)) return []
  const message = `saslMechanism ${saslMechanism} is not supported yet by this version; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.`
  return [fault('saslMechanism', message)]
}

function handlerFaults(values: KafkaParameterValues): readonly ParameterFault[] {
  if (!values.saslClientCallbackHandlerClass) return []
  const message =
    'saslClientCallbackHandlerClass is not supported yet by this version; PLAIN and SCRAM need no callback handler.'
  return [fault('saslClientCallbackHandlerClass', message)]
}

function entryFaults(text: string, mechanism: string | undefined): readonly ParameterFault[] {
  const parameter = 'saslJaasConfig'
  let entries: readonly JaasEntry[]
  try {
    entries = parseJaas(text)
  } catch (error) {
    if (!(error instanceof JaasSyntaxError)) throw error
    return [fault(parameter, `saslJaasConfig cannot be read: ${error.message}.`)]
  }
  const [entry] = entries
  if (!entry || entries.length !== 1) {
    return [fault(parameter, 'saslJaasConfig must hold exactly one login module.')]
  }
  if (mechanism === undefined) return []
  const expected = loginModules[mechanism]
  if (expected === undefined) return []
  if (entry.loginModule !== expected) {
    return [fault(parameter, `saslMechanism ${mechanism} needs the login module ${expected}.`)]
  }
  return optionFaults(entry)
}

function optionFaults({ options }: JaasEntry): readonly ParameterFault[] {
  const parameter = 'saslJaasConfig'
  if (!options.get('username') || !options.get('password')) {
    return [fault(parameter, 'saslJaasConfig needs the options username and password.')]
  }
  if (options.get('tokenauth')?.toLowerCase() === 'true') {
    return [
      fault(parameter, 'saslJaasConfig: delegation tokens (tokenauth) are not supported yet.'),
    ]
  }
  return []
}
