import { createHash } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { ProducerConfig } from './producer-config.ts'
import { systemAuthorities } from './system-authorities.ts'

const keptMs = 60_000
const maxKept = 20

interface Kept {
  readonly context: Promise<SecureContext | undefined>
  readonly untilMs: number
}

const kept = new Map<string, Kept>()

/** Whom the clients of a configuration trust, as Node's TLS takes it; undefined when that cannot be known. The same for a minute: to read the authorities of
 *  a system takes 100 ms of the event loop, and each client of a broker that is not trusted asks for it. */
export async function trustedContext({
  global,
}: Pick<ProducerConfig, 'global'>): Promise<SecureContext | undefined> {
  const pem = global['ssl.ca.pem']
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = process.env
  const source = typeof pem === 'string' ? [pem] : [file ?? null, directories ?? null]
  const key = createHash('sha256').update(JSON.stringify(source)).digest('base64')
  const nowMs = Date.now()
  for (const [other, { untilMs }] of kept) if (untilMs <= nowMs) kept.delete(other)
  const found = kept.get(key)
  if (found) return found.context
  const context = contextOf(pem)
  const [oldest] = kept.size < maxKept ? [] : kept.keys()
  if (oldest !== undefined) kept.delete(oldest)
  kept.set(key, { context, untilMs: nowMs + keptMs })
  return context
}

async function contextOf(pem: unknown): Promise<SecureContext | undefined> {
  const ca = typeof pem === 'string' ? [pem] : await systemAuthorities()
  return ca && createSecureContext({ ca: [...ca] })
}
