import { execFileSync } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Admin,
  alterUserScramCredentialsV0,
  ClientQuotaEntityTypes,
  ClientQuotaKeys,
  Connection,
} from '@platformatic/kafka'

/** With Kafka's number of the mechanism. */
const scramMechanisms = [
  { number: 1, hash: 'sha256', bytes: 32 },
  { number: 2, hash: 'sha512', bytes: 64 },
] as const
const iterations = 4096

/** Creates users for both mechanisms of SCRAM, or gives them another password. */
export async function putScramUsers(
  bootstrapServers: string,
  passwords: Readonly<Record<string, string>>,
): Promise<void> {
  const [host = '', port = ''] = bootstrapServers.split(':')
  const connection = new Connection('test-principals')
  await connection.connect(host, Number(port))
  try {
    // A request may name a user once.
    for (const { number, hash, bytes } of scramMechanisms) {
      const credentials = Object.entries(passwords).map(([name, password]) => {
        const salt = randomBytes(16)
        const saltedPassword = pbkdf2Sync(password, salt, iterations, bytes, hash)
        return { name, mechanism: number, iterations, salt, saltedPassword }
      })
      await alterUserScramCredentialsV0.api.async(connection, [], credentials)
    }
  } finally {
    await connection.close()
  }
}

/** Limits what the producers of a user may send; what is above it waits. */
export async function setProducerQuota(
  bootstrapServers: string,
  user: string,
  bytesPerSecond: number,
): Promise<void> {
  const admin = new Admin({ clientId: 'test-quotas', bootstrapBrokers: [bootstrapServers] })
  try {
    await admin.alterClientQuotas({
      entries: [
        {
          entities: [{ entityType: ClientQuotaEntityTypes.USER, entityName: user }],
          ops: [{ key: ClientQuotaKeys.PRODUCER_BYTE_RATE, value: bytesPerSecond, remove: false }],
        },
      ],
    })
  } finally {
    await admin.close()
  }
}

export interface ClientIdentity {
  readonly key: string
  readonly certificate: string
}

/** A certificate that the broker's authority has signed, for a client or a broker; made on the spot so that an expired one can be had.
 *  @param certificates directory of the test broker's authority */
export function signedIdentity(
  certificates: string,
  commonName: string,
  { isExpired = false, alternativeName }: { isExpired?: boolean; alternativeName?: string } = {},
): ClientIdentity {
  const directory = mkdtempSync(join(tmpdir(), 'signed-identity-'))
  const run = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'ignore'] })
  }
  try {
    run('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'ec.key')
    run('pkcs8', '-topk8', '-nocrypt', '-in', 'ec.key', '-out', 'key')
    const names =
      alternativeName === undefined ? [] : ['-addext', `subjectAltName=${alternativeName}`]
    run('req', '-new', '-key', 'key', '-subj', `/CN=${commonName}`, ...names, '-out', 'csr')
    run(
      ...['x509', '-req', '-in', 'csr', '-copy_extensions', 'copyall'],
      ...['-CA', join(certificates, 'test-ca.crt'), '-CAkey', join(certificates, 'test-ca.key')],
      ...['-set_serial', `0x${randomBytes(8).toString('hex')}`],
      ...['-days', isExpired ? '0' : '2', '-out', 'certificate'],
    )
    const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
    return { key: read('key'), certificate: read('certificate') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
