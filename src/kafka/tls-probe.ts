import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import { brokerAddress } from './broker-address.ts'
import { addressesOf } from './host-addresses.ts'
import { causeNamed, causeOfTlsCode, type KafkaCause } from './kafka-causes.ts'
import type { ProducerConfig } from './producer-config.ts'
import { probeSocket } from './socket-probe.ts'
import { trustedContext } from './trusted-context.ts'

const probeTimeoutMs = 2000

/** What exactly is wrong with a certificate: librdkafka says only that one was refused. The cause as it is when nothing more can be found out.
 *  Never rejects. */
export async function exactTlsCause(
  cause: KafkaCause,
  config: ProducerConfig,
): Promise<KafkaCause> {
  const found = await moreExact(cause, config).catch(() => undefined)
  return found ?? cause
}

async function moreExact(
  { name, broker }: KafkaCause,
  config: ProducerConfig,
): Promise<KafkaCause | undefined> {
  if (broker === undefined) return undefined
  if (name === 'client-certificate-refused') return expiredClient(broker, config)
  if (name !== 'broker-certificate-refused') return undefined
  const { host = '' } = brokerAddress(broker) ?? {}
  // What is known already need not wait for long.
  const [ip] = await addressesOf(host, AbortSignal.timeout(probeTimeoutMs))
  const code = ip === undefined ? undefined : await certificateFault(broker, ip, config)
  return code === undefined ? undefined : causeOfTlsCode(code, broker)
}

/** Node's code of what is wrong with the certificate of a broker; undefined when nothing is, no handshake came about, or Node does not know whom librdkafka
 *  trusts. It shows no certificate of the client: who answers there is what is to be found out.
 *  @param broker `host:port`
 *  @param ip of the host
 *  @param calledOff ends it */
export async function certificateFault(
  broker: string,
  ip: string,
  config: ProducerConfig,
  calledOff?: AbortSignal,
): Promise<string | undefined> {
  const address = brokerAddress(broker)
  const secureContext = await trustedContext(config)
  if (!address || !secureContext || calledOff?.aborted === true) return undefined
  const socket = connect({
    host: ip,
    port: address.port,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    secureContext,
    // It is asked what is wrong, not sent anything.
    rejectUnauthorized: false,
  })
  const outcome = await probeSocket(socket, 'secureConnect', probeTimeoutMs, calledOff)
  if (outcome !== 'reached' || socket.authorized) return undefined
  // The types promise an Error; it is its code.
  const fault: unknown = socket.authorizationError
  return String(fault)
}

/** What a client shows, as Node's TLS takes it. */
export function identityOf({ global }: ProducerConfig): ConnectionOptions {
  const text = (name: string): string | undefined => {
    const value = global[name]
    return typeof value === 'string' ? value : undefined
  }
  const [key, cert] = [text('ssl.key.pem'), text('ssl.certificate.pem')]
  const passphrase = text('ssl.key.password')
  return {
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

function expiredClient(
  broker: string,
  { clientCertificate }: ProducerConfig,
): KafkaCause | undefined {
  if (clientCertificate === undefined) return undefined
  const { validFrom, validTo } = new X509Certificate(clientCertificate)
  const nowMs = Date.now()
  if (nowMs >= Date.parse(validFrom) && nowMs <= Date.parse(validTo)) return undefined
  return causeNamed('client-certificate-expired', {
    broker,
    detail: `from ${validFrom} to ${validTo}`,
  })
}
