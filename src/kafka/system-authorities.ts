import { readdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { pemCertificates } from './pem.ts'

/** Where systems keep the authorities that they trust; the first that is there counts. The list and its order are librdkafka's (2.12, rdkafka_ssl.c). */
const places = [
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/certs/ca-bundle.crt',
  '/etc/pki/tls/certs/ca-bundle.trust.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/ssl/cert.pem',
  '/etc/ssl/cacert.pem',
  '/etc/certs/ca-certificates.crt',
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/ssl/certs',
  '/usr/local/etc/ssl/cert.pem',
  '/usr/local/etc/ssl/cacert.pem',
  '/usr/local/etc/ssl/certs/cert.pem',
  '/usr/local/etc/ssl/certs/cacert.pem',
  '/usr/local/share/certs/ca-root-nss.crt',
  '/etc/openssl/certs/ca-certificates.crt',
] as const
/** Of a certificate in a directory that OpenSSL looks in. */
const hashedName = /^[0-9a-f]{8}\.\d+$/

type Environment = Readonly<Record<string, string | undefined>>

/** Has librdkafka trust the authorities of the system. It runs on the OpenSSL of Node, whose own default is a place that only some systems have; OpenSSL's
 *  variables come first. */
export function systemAuthorityProperties(
  env: Environment = process.env,
): Readonly<Record<string, string>> {
  return ownPlaces(env).length > 0 || process.platform === 'win32'
    ? {}
    : { 'ssl.ca.location': 'probe' }
}

/** The authorities that librdkafka trusts then, in PEM form; undefined where Node cannot know: on Windows they are in no file. */
export async function systemAuthorities(
  env: Environment = process.env,
): Promise<readonly string[] | undefined> {
  const own = ownPlaces(env)
  if (own.length > 0) return (await Promise.all(own.map(certificatesAt))).flat()
  if (process.platform === 'win32') return undefined
  for (const place of places) {
    const found = await certificatesAt(place)
    if (found.length > 0) return found
  }
  return []
}

function ownPlaces({ SSL_CERT_FILE: file, SSL_CERT_DIR: directories }: Environment): string[] {
  return [file ?? '', ...(directories ?? '').split(delimiter)].filter((place) => place !== '')
}

/** Of a file or of a directory; none when it is not there. */
async function certificatesAt(place: string): Promise<readonly string[]> {
  const names = await readdir(place).catch(() => undefined)
  if (!names) return certificatesIn(place)
  const files = names.filter((name) => hashedName.test(name))
  const found: string[] = []
  for (const name of files) found.push(...(await certificatesIn(join(place, name))))
  return found
}

async function certificatesIn(path: string): Promise<readonly string[]> {
  return pemCertificates(await readFile(path, 'utf8').catch(() => ''))
}
