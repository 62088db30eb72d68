import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import { brokerAddress } from './broker-address.ts'
import { causeNamed, causeOfTlsCode, type KafkaCause } from './kafka-causes.ts'
import { pemCertificates } from './pem.ts'
import type { ProducerConfig } from './producer-config.ts'

const probeTimeoutMs = 2000

/** What exactly is wrong with a certificate: librdkafka says only that one was refused. The cause as it is when nothing more can be found out. */
export async function exactTlsCause(
  cause: KafkaCause,
  config: ProducerConfig,
): Promise<KafkaCause> {
  const { name, broker } = cause
  if (broker === undefined) return cause
  if (name === 'client-certificate-refused') return expiredClient(broker, config) ?? cause
  if (name !== 'broker-certificate-refused') return cause
  const code = await certificateFault(broker, config)
  return (code === undefined ? undefined : causeOfTlsCode(code, broker)) ?? cause
}

/** Node's code of what is wrong with the certificate of a broker; undefined when nothing is, or no handshake came about. */
export async function certificateFault(
  broker: string,
  config: ProducerConfig,
): Promise<string | undefined> {
  const address = brokerAddress(broker)
  if (!address) return undefined
  return new Promise((resolve) => {
    const socket = connect({
      ...address,
      ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
      ...identityOf(config),
      // It is asked what is wrong, not sent anything.
      rejectUnauthorized: false,
    })
    const end = (code?: string): void => {
      socket.destroy()
      resolve(code)
    }
    socket.setTimeout(probeTimeoutMs, end)
    socket.once('error', () => {
      end()
    })
    socket.once('secureConnect', () => {
      // The types promise an Error; it is its code.
      const fault: unknown = socket.authorizationError
      end(socket.authorized ? undefined : String(fault))
    })
  })
}

/** What a client shows and whom it trusts, as Node's TLS takes it. */
export function identityOf({ global }: ProducerConfig): ConnectionOptions {
  const text = (name: string): string | undefined => {
    const value = global[name]
    return typeof value === 'string' ? value : undefined
  }
  const [ca, key, cert] = [text('ssl.ca.pem'), text('ssl.key.pem'), text('ssl.certificate.pem')]
  const passphrase = text('ssl.key.password')
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(key === undefined || cert === undefined ? {} : { key, cert }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...keyStoreOf(text('ssl.keystore.location'), text('ssl.keystore.password')),
  }
}

/** Nothing when it is gone: librdkafka says so. */
function keyStoreOf(path: string | undefined, passphrase = ''): ConnectionOptions {
  if (path === undefined) return {}
  try {
    return { pfx: readFileSync(path), passphrase }
  } catch {
    return {}
  }
}

function expiredClient(broker: string, { global }: ProducerConfig): KafkaCause | undefined {
  const [pem] = pemCertificates(String(global['ssl.certificate.pem'] ?? ''))
  if (pem === undefined) return undefined
  const { validFrom, validTo } = new X509Certificate(pem)
  const nowMs = Date.now()
  if (nowMs >= Date.parse(validFrom) && nowMs <= Date.parse(validTo)) return undefined
  return causeNamed('client-certificate-expired', {
    broker,
    detail: `from ${validFrom} to ${validTo}`,
  })
}
