import { JaasSyntaxError, parseJaas, type JaasEntry } from './jaas.ts'
import type { ParameterFault } from './parameter-fault.ts'
import type { KafkaParameterValues } from './parameter-table.ts'
import { callbackHandlerFaults } from './sasl/callback-handlers.ts'
import { jaasFault, type Installation, type LoginModule } from './sasl/login-module.ts'
import {
  isLoginModule,
  loginModuleClasses,
  loginModuleOf,
  saslMechanisms,
  takesOption,
} from './sasl/login-modules.ts'
import { usesSasl } from './security-protocol.ts'

/** SASL: a mechanism that this installation can do, and a JAAS entry that fits it. The sasl… parameters have no effect without SASL, as in Java, but
 *  a JAAS text that cannot be read and classes that are not known are told in any case. */
export function jaasFaults(
  values: KafkaParameterValues,
  installation: Installation,
): readonly ParameterFault[] {
  const { saslMechanism, saslJaasConfig, securityProtocol = 'PLAINTEXT' } = values
  const handlerFaults = callbackHandlerFaults(values)
  if (handlerFaults.length > 0) return handlerFaults
  const read = saslJaasConfig ? readEntry(saslJaasConfig) : undefined
  if (!usesSasl(values)) return read?.faults ?? []
  if (saslMechanism === undefined) {
    const message = `securityProtocol ${securityProtocol} needs saslMechanism: ${saslMechanisms.join(', ')}.`
    return [{ parameter: 'saslMechanism', message }]
  }
  const module = loginModuleOf(saslMechanism)
  // A mechanism that Kafka does not know is told by the table.
  if (!module) return []
  const missing = module.missing(installation.features)
  if (missing !== undefined) return [{ parameter: 'saslMechanism', message: missing }]
  if (!read) return [jaasFault(`securityProtocol ${securityProtocol} needs saslJaasConfig.`)]
  return read.entry ? entryFaults(read.entry, module, values, installation) : read.faults
}

interface EntryReading {
  /** Absent when there are faults. */
  readonly entry?: JaasEntry
  readonly faults: readonly ParameterFault[]
}

function readEntry(text: string): EntryReading {
  try {
    const [entry, ...others] = parseJaas(text)
    if (!entry || others.length > 0) {
      return { faults: [jaasFault('saslJaasConfig must hold exactly one login module.')] }
    }
    if (isLoginModule(entry.loginModule)) return { entry, faults: [] }
    const message = `saslJaasConfig must name one of the login modules ${loginModuleClasses.join(', ')}; no class is loaded.`
    return { faults: [jaasFault(message)] }
  } catch (error) {
    if (!(error instanceof JaasSyntaxError)) throw error
    return { faults: [jaasFault(`saslJaasConfig cannot be read: ${error.message}.`)] }
  }
}

function entryFaults(
  { loginModule, options }: JaasEntry,
  module: LoginModule,
  values: KafkaParameterValues,
  installation: Installation,
): readonly ParameterFault[] {
  if (loginModule !== module.className) {
    const mechanism = values.saslMechanism ?? ''
    return [jaasFault(`saslMechanism ${mechanism} needs the login module ${module.className}.`)]
  }
  // Unknown names are not repeated: a slip in the text can make a name of a secret.
  const isUnknown = [...options.keys()].some((name) => !takesOption(module, name))
  if (!isUnknown) return module.faults({ options, values }, installation)
  const known = (module.optionNames ?? []).map((name) =>
    typeof name === 'string' ? name : `${name.source.replace('^', '')}…`,
  )
  return [jaasFault(`saslJaasConfig: the options of this login module are ${known.join(', ')}.`)]
}
