import type { RdkafkaLog } from '../connection-cause.ts'

/** Says that librdkafka itself got no token, or undefined for other lines of its log. The endpoint's own words are left out: they may repeat what was
 *  sent. */
export function oidcCause({ fac, severity, message }: RdkafkaLog): string | undefined {
  if (fac !== 'OIDC' || severity > 4) return undefined
  const [, origin = ''] = /from "(https?:\/\/[^/?#"]+)/.exec(message) ?? []
  const [, status] = /\((\d{3})\)\s*$/.exec(message) ?? []
  const answer = status === undefined || status === '000' ? '' : ` (status ${status})`
  return `librdkafka got no token from ${origin === '' ? 'the token endpoint' : origin}${answer}; check saslOauthbearerTokenEndpointUrl, clientId, clientSecret and scope.`
}
