import type { IsServerAllowed } from '../bootstrap-servers.ts'
import type { ParameterFault } from '../parameter-fault.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'
import type { TokenRequest } from '../tokens/token-request.ts'

export type JaasOptions = ReadonlyMap<string, string>

/** What a login ends up as. Holds secrets in clear: never log it. */
export interface SaslLogin {
  /** Properties of librdkafka, those of the mechanism's name included. */
  readonly properties: Readonly<Record<string, string | number | boolean>>
  /** How this module gets the token that librdkafka is given. Absent: librdkafka needs none, or gets it itself. */
  readonly tokens?: TokenRequest
}

export interface LoginInput {
  readonly options: JaasOptions
  readonly values: KafkaParameterValues
}

/** Where destinations log in. */
export interface Installation {
  /** What its Kafka clients can do. */
  readonly features: readonly string[]
  /** Which servers destinations may name. */
  readonly isServerAllowed: IsServerAllowed
}

/** A class that `saslJaasConfig` may name. Nothing is ever loaded by it: the class names a way to log in, which is built here. */
export interface LoginModule {
  readonly className: string
  /** Values of saslMechanism that it goes with. */
  readonly mechanisms: readonly string[]
  /** Options that it takes; any other is refused, because what it asks for would not happen. Absent: others do nothing, as in Java. */
  readonly optionNames?: readonly (string | RegExp)[]
  /** What this installation lacks for it, and what to install; undefined when it lacks nothing. */
  missing(features: readonly string[]): string | undefined
  /** What is wrong with options and values that belong to it. */
  faults(input: LoginInput, installation: Installation): readonly ParameterFault[]
  /** Of options without faults. */
  login(input: LoginInput): SaslLogin
}

export function jaasFault(message: string): ParameterFault {
  return { parameter: 'saslJaasConfig', message }
}

/** The faults of those that are there. */
export function jaasFaultsOf(
  ...messages: readonly (string | false | undefined)[]
): readonly ParameterFault[] {
  return messages.flatMap((message) =>
    message === undefined || message === false ? [] : [jaasFault(message)],
  )
}

/** Says that options are missing; undefined when none is. */
export function missingOptions(options: JaasOptions, names: readonly string[]): string | undefined {
  if (names.every((name) => options.get(name))) return undefined
  return `saslJaasConfig needs the options ${names.join(' and ')}.`
}
