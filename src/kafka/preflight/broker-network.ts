import { connect } from 'node:net'
import { brokerAddress } from '../broker-address.ts'
import { addressesOf } from '../host-addresses.ts'
import { causeNamed, causeOfTlsCode, type KafkaCause } from '../kafka-causes.ts'
import type { ProducerConfig } from '../producer-config.ts'
import { probeSocket } from '../socket-probe.ts'
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
 *  @param broker `host:port`
 *  @param calledOff ends it, with nothing
 *  @throws the reason why it was called off before its turn to look the name up */
export async function causeOnTheWay(
  broker: string,
  config: ProducerConfig,
  calledOff: AbortSignal,
): Promise<KafkaCause | undefined> {
  const address = brokerAddress(broker)
  if (!address) return undefined
  const found = await resolved(address.host, calledOff)
  if (typeof found === 'string') return causeNamed('name-not-resolved', { broker, detail: found })
  let refusal: string | undefined
  let reached = ''
  for (const ip of found.slice(0, maxAddresses)) {
    reached = ip
    refusal = await connectionFault(ip, address.port, calledOff)
    if (refusal === undefined) break
  }
  if (calledOff.aborted) return undefined
  if (refusal === timedOut) return causeNamed('no-answer', { broker })
  if (refusal !== undefined) return causeNamed('unreachable', { broker, detail: refusal })
  if (!String(config.global['security.protocol']).endsWith('SSL')) return undefined
  // Authorities that Node cannot read are a matter of the login.
  const code = await certificateFault(broker, reached, config, calledOff).catch(() => undefined)
  return code === undefined ? undefined : causeOfTlsCode(code, broker)
}

const timedOut = 'timed out'

/** Addresses, or why there are none. */
async function resolved(host: string, calledOff: AbortSignal): Promise<readonly string[] | string> {
  try {
    return await addressesOf(host, calledOff)
  } catch (error) {
    calledOff.throwIfAborted()
    return textOf(error)
  }
}

/** Undefined: somebody listens there. */
async function connectionFault(
  ip: string,
  port: number,
  calledOff: AbortSignal,
): Promise<string | undefined> {
  const socket = connect({ host: ip, port })
  const outcome = await probeSocket(socket, 'connect', connectWithinMs, calledOff)
  if (outcome === 'reached') return undefined
  return outcome ? textOf(outcome) : timedOut
}

function textOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return systemTexts[code] ?? code
}
