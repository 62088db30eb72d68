import { missingFeature } from '../kafka-features.ts'
import type { ParameterFault } from '../parameter-fault.ts'
import type { TokenRequest } from '../tokens/token-request.ts'
import {
  jaasFaultsOf,
  missingOptions,
  type JaasOptions,
  type LoginInput,
  type LoginModule,
  type SaslLogin,
} from './login-module.ts'

const prefix = 'extension_'
/** https://www.rfc-editor.org/rfc/rfc7628#section-3.1; librdkafka separates extensions by commas. */
const extensionName = /^[A-Za-z]{1,64}$/
const extensionValue = /^[\x21-\x2b\x2d-\x7e]{1,512}$/
const unsecuredSubject = 'unsecuredLoginStringClaim_sub'
const unsecuredLifetime = 'unsecuredLoginLifetimeSeconds'
const defaultLifetimeSeconds = 3600
const endpointParameter = 'saslOauthbearerTokenEndpointUrl'

export const oauthLogin: LoginModule = {
  className: 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule',
  mechanisms: ['OAUTHBEARER'],
  optionNames: [
    'clientId',
    'clientSecret',
    'scope',
    /^extension_/,
    unsecuredSubject,
    unsecuredLifetime,
  ],
  missing: (features) => missingFeature(features, 'sasl_oauthbearer'),
  faults: (input, { features }) =>
    isUnsecured(input) ? unsecuredFaults(input) : clientFaults(input, features),
  login: (input) => (extensionsOf(input.options).length > 0 ? oidcLogin(input) : tokenLogin(input)),
}

/** Without an endpoint there is nobody to ask for a token. */
function isUnsecured({ options, values }: LoginInput): boolean {
  return values.saslOauthbearerTokenEndpointUrl === undefined && options.has(unsecuredSubject)
}

function unsecuredFaults({ options }: LoginInput): readonly ParameterFault[] {
  const lifetime = options.get(unsecuredLifetime)
  return jaasFaultsOf(
    missingOptions(options, [unsecuredSubject]),
    lifetime !== undefined &&
      !/^[1-9]\d{0,5}$/.test(lifetime) &&
      `saslJaasConfig: ${unsecuredLifetime} must be a whole number from 1 to 999999.`,
    extensionsOf(options).length > 0 &&
      'saslJaasConfig: extensions cannot be sent with an unsecured token.',
  )
}

function clientFaults(
  { options, values }: LoginInput,
  features: readonly string[],
): readonly ParameterFault[] {
  if (values.saslOauthbearerTokenEndpointUrl === undefined) {
    const message = `OAUTHBEARER needs ${endpointParameter}, the URL that tokens are fetched from; to try it out without one, write the option ${unsecuredSubject} in saslJaasConfig.`
    return [{ parameter: endpointParameter, message }]
  }
  const extensions = extensionsOf(options)
  const wrong = extensions.find(
    ([name, value]) =>
      !extensionName.test(name) || name.toLowerCase() === 'auth' || !extensionValue.test(value),
  )
  return jaasFaultsOf(
    missingOptions(options, ['clientId', 'clientSecret']),
    options.has(unsecuredSubject) &&
      `saslJaasConfig: leave ${unsecuredSubject} out where ${endpointParameter} is given.`,
    wrong &&
      'saslJaasConfig: an extension has a name of letters other than "auth", and a value of visible ASCII characters without commas.',
    // node-rdkafka hands a token over without its extensions.
    extensions.length > 0 && missingFeature(features, 'oidc'),
  )
}

function extensionsOf(options: JaasOptions): readonly (readonly [name: string, value: string])[] {
  return [...options].flatMap(([name, value]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
  )
}

/** The token is fetched here: that needs no libcurl, and errors are told in words. */
function tokenLogin(input: LoginInput): SaslLogin {
  return { properties: { 'sasl.mechanism': 'OAUTHBEARER' }, tokens: tokenRequest(input) }
}

function tokenRequest(input: LoginInput): TokenRequest {
  const { options, values } = input
  if (isUnsecured(input)) {
    return {
      kind: 'unsecured',
      subject: options.get(unsecuredSubject) ?? '',
      lifetimeSeconds: Number(options.get(unsecuredLifetime) ?? defaultLifetimeSeconds),
    }
  }
  return {
    kind: 'client-credentials',
    endpointUrl: values.saslOauthbearerTokenEndpointUrl ?? '',
    clientId: options.get('clientId') ?? '',
    clientSecret: options.get('clientSecret') ?? '',
    scope: options.get('scope'),
  }
}

/** librdkafka fetches the token, and sends the extensions with it. */
function oidcLogin({ options, values }: LoginInput): SaslLogin {
  const scope = options.get('scope')
  return {
    properties: {
      'sasl.mechanism': 'OAUTHBEARER',
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.token.endpoint.url': values.saslOauthbearerTokenEndpointUrl ?? '',
      'sasl.oauthbearer.client.id': options.get('clientId') ?? '',
      'sasl.oauthbearer.client.secret': options.get('clientSecret') ?? '',
      ...(scope === undefined ? {} : { 'sasl.oauthbearer.scope': scope }),
      'sasl.oauthbearer.extensions': extensionsOf(options)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
    },
  }
}
