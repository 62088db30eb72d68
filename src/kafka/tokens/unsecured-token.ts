import type { LoginToken } from './login-token.ts'
import type { UnsecuredRequest } from './token-request.ts'

/** A JSON web token without a signature, of the form that a broker in its default configuration takes:
 *  https://www.rfc-editor.org/rfc/rfc7515#appendix-A.5 */
export function unsecuredToken(
  { subject, lifetimeSeconds }: UnsecuredRequest,
  nowMs: number,
): LoginToken {
  const issuedAt = Math.floor(nowMs / 1000)
  const claims = { sub: subject, iat: issuedAt, exp: issuedAt + lifetimeSeconds }
  return {
    text: `${base64Url({ alg: 'none' })}.${base64Url(claims)}.`,
    expiresAtMs: claims.exp * 1000,
  }
}

function base64Url(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
