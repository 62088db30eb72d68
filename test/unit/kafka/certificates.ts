import { execFileSync } from 'node:child_process'

export interface Identity {
  readonly key: string
  readonly certificate: string
}

export interface IdentityOptions {
  /** @default 'ec' */
  readonly algorithm?: 'ec' | 'rsa'
  /** @default 2 */
  readonly days?: number
}

/** A self-signed identity, made on the spot so that no key lies in the repository. */
export function selfSigned(
  commonName: string,
  { algorithm = 'ec', days = 2 }: IdentityOptions = {},
): Identity {
  const newKey =
    algorithm === 'ec'
      ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
      : ['-newkey', 'rsa:2048']
  const subject = ['-nodes', '-days', String(days), '-subj', `/CN=${commonName}`]
  const both = openssl(['req', '-x509', ...newKey, ...subject, '-keyout', '-']).toString()
  const certificateAt = both.indexOf('-----BEGIN CERTIFICATE')
  return { key: both.slice(0, certificateAt), certificate: both.slice(certificateAt) }
}

/** As PKCS#8. */
export function encrypted(key: string, password: string): string {
  const cipher = ['-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${password}`]
  return openssl(['pkcs8', ...cipher], key).toString()
}

/** The form that OpenSSL wrote before PKCS#8: PKCS#1 of an RSA key, SEC 1 of an EC key; encrypted with headers. */
export function traditional(key: string, password?: string): string {
  const cipher = password === undefined ? [] : ['-aes256', '-passout', `pass:${password}`]
  return openssl(['pkey', '-traditional', ...cipher], key).toString()
}

/** A key store with key and certificate. */
export function pkcs12({ key, certificate }: Identity, password: string): Buffer {
  return openssl(['pkcs12', '-export', '-passout', `pass:${password}`], key + certificate)
}

function openssl(args: readonly string[], input = ''): Buffer {
  return execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'ignore'] })
}
