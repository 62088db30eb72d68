import { createHash } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { ProducerConfig } from './producer-config.ts'
import { systemAuthorities } from './system-authorities.ts'

type Trusting = Pick<ProducerConfig, 'global'>

const keptMs = 60_000
const maxKept = 20

interface Kept {
  readonly context: Promise<SecureContext | undefined>
  readonly untilMs: number
}

const kept = new Map<string, Kept>()

/** Whom the clients of a configuration trust, as Node's TLS takes it; undefined when that cannot be known. */
export async function trustOf({
  global,
}: Trusting): Promise<Pick<SecureContextOptions, 'ca'> | undefined> {
  const pem = global['ssl.ca.pem']
  const ca = typeof pem === 'string' ? [pem] : await systemAuthorities()
  return ca && { ca: [...ca] }
}

/** {@link trustOf} as a context of TLS. The same for a minute: to read the authorities of
 *  a system takes 100 ms of the event loop, and each client of a broker that is not trusted asks for it. */
export async function trustedContext(config: Trusting): Promise<SecureContext | undefined> {
  const pem = config.global['ssl.ca.pem']
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = process.env
  const source = typeof pem === 'string' ? [pem] : [file ?? null, directories ?? null]
  const key = createHash('sha256').update(JSON.stringify(source)).digest('base64')
  const nowMs = Date.now()
  for (const [other, { untilMs }] of kept) if (untilMs <= nowMs) kept.delete(other)
  const found = kept.get(key)
  if (found) return found.context
  const context = contextOf(config)
  const [oldest] = kept.size < maxKept ? [] : kept.keys()
  if (oldest !== undefined) kept.delete(oldest)
  kept.set(key, { context, untilMs: nowMs + keptMs })
  return context
}

async function contextOf(config: Trusting): Promise<SecureContext | undefined> {
  const trust = await trustOf(config)
  return trust && createSecureContext(trust)
}
