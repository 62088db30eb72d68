import { execFileSync } from 'node:child_process'

export interface Identity {
  readonly key: string
  readonly certificate: string
}

/** A self-signed identity, made on the spot so that no key lies in the repository. */
export function selfSigned(commonName: string): Identity {
  const both = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${commonName}`,
      '-keyout',
      '-',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const certificateAt = both.indexOf('-----BEGIN CERTIFICATE')
  return { key: both.slice(0, certificateAt), certificate: both.slice(certificateAt) }
}

export function encrypted(key: string, password: string): string {
  return execFileSync(
    'openssl',
    ['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${password}`],
    {
      encoding: 'utf8',
      input: key,
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  )
}
