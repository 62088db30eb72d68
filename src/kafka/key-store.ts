import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

/** A PKCS#12 file with the client's key and certificates, opened once to see that it can be. It comes from the vault configuration only,
 *  never from a destination: its path is read by librdkafka. */
export interface KeyStore {
  readonly path: string
  /** Empty for a file without one. */
  readonly password: string
  /** Of the content: another one makes another configuration, and so a new client. */
  readonly sha256: string
  /** The client's certificate in PEM form, where Node tells it. */
  readonly certificate: string | undefined
}

/** Says what is wrong with a key store as the end of a sentence, with neither path nor password nor content. */
export class KeyStoreError extends Error {
  override readonly name: string = 'KeyStoreError'
}

/** Node cannot take a PKCS#12 file apart, but OpenSSL opens it for TLS, as it will in librdkafka.
 *  @throws {@link KeyStoreError} */
export function openKeyStore(path: string, content: Buffer, password: string): KeyStore {
  const sha256 = createHash('sha256').update(content).digest('hex')
  try {
    const secure = createSecureContext({ pfx: content, passphrase: password })
    return { path, password, sha256, certificate: certificateOf(secure) }
  } catch (error) {
    throw new KeyStoreError(faultOf(error instanceof Error ? error.message : ''))
  }
}

/** What a server's `OCSPRequest` event is given; a version of Node without it costs a warning only. */
function certificateOf(secure: SecureContext): string | undefined {
  const context = secure.context as { getCertificate?: () => unknown }
  const der = context.getCertificate?.()
  return Buffer.isBuffer(der) ? new X509Certificate(der).toString() : undefined
}

function faultOf(openSslText: string): string {
  if (/mac verify/i.test(openSslText)) return 'cannot be opened with its password'
  if (/unsupported/i.test(openSslText))
    return 'is encrypted in a way that OpenSSL 3 no longer reads; export it again'
  return 'is no PKCS#12 file with a private key and its certificate'
}
