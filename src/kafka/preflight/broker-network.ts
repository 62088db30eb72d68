import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { blockingCalls } from '../blocking-calls.ts'
import { brokerAddress } from '../broker-address.ts'
import { causeNamed, causeOfTlsCode, type KafkaCause } from '../kafka-causes.ts'
import type { ProducerConfig } from '../producer-config.ts'
import { certificateFault } from '../tls-probe.ts'

const connectWithinMs = 3000
const maxAddresses = 4

/** In the words of the C library, which librdkafka has too. */
const systemTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
}

/** Looks at the way to one broker: name, connection, certificate. Undefined when nothing is wrong with it. Sends nothing.
 *  @param broker `host:port` */
export async function causeOnTheWay(
  broker: string,
  config: ProducerConfig,
): Promise<KafkaCause | undefined> {
  const address = brokerAddress(broker)
  if (!address) return undefined
  const found = await resolved(address.host)
  if (typeof found === 'string') return causeNamed('name-not-resolved', { broker, detail: found })
  let refusal: string | undefined
  for (const ip of found.slice(0, maxAddresses)) {
    refusal = await connectionFault(ip, address.port)
    if (refusal === undefined) break
  }
  if (refusal === timedOut) return causeNamed('no-answer', { broker })
  if (refusal !== undefined) return causeNamed('unreachable', { broker, detail: refusal })
  if (!String(config.global['security.protocol']).endsWith('SSL')) return undefined
  // A certificate or key that Node cannot read is a matter of the login.
  const code = await certificateFault(broker, config).catch(() => undefined)
  return code === undefined ? undefined : causeOfTlsCode(code, broker)
}

const timedOut = 'timed out'

/** Addresses, or why there are none. A look-up holds a thread like a connect does, so it waits for its turn like one. */
async function resolved(host: string): Promise<readonly string[] | string> {
  return blockingCalls.run('connect', host, async () => {
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address)
    } catch (error) {
      return textOf(error)
    }
  })
}

/** Undefined: somebody listens there. */
async function connectionFault(ip: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port })
    const end = (fault?: string): void => {
      socket.destroy()
      resolve(fault)
    }
    socket.setTimeout(connectWithinMs, () => {
      end(timedOut)
    })
    socket.once('connect', () => {
      end()
    })
    socket.once('error', (error) => {
      end(textOf(error))
    })
  })
}

function textOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return systemTexts[code] ?? code
}
