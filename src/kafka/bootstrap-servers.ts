import { TopicDestinationError } from '../errors.ts'

/** One entry of `bootstrapServers`. `host` in lower case, without a closing dot; an IPv6 address in brackets. */
export interface BootstrapServer {
  readonly host: string
  readonly port: number
}

/** What Java's clients take for a host, and nothing that librdkafka or the resolver could read in another way. */
const hostAndPort = /^(\[[0-9a-f:.]+\]|[0-9a-z._-]+):(\d{1,5})$/
const pattern = /^(?:(\*\.|)(\[[0-9a-f:.]+\]|[0-9a-z_-][0-9a-z._-]*)|(\*)):(\d{1,5}|\*)$/

/** What Confluent's tools write in front of a server, and Java's clients skip. */
const protocolAndServer = /^(?:(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL):\/\/)?(.*)$/i

/** The parts of a comma-separated list, as they are written, without the protocols in front of them. */
export function serverTexts(text: string): readonly string[] {
  return parts(text).map(({ server }) => server)
}

/** The protocols that stand in front of servers, in upper case. */
export function writtenProtocols(text: string): readonly string[] {
  return parts(text).flatMap(({ protocol }) => (protocol === undefined ? [] : [protocol]))
}

function parts(text: string): readonly { protocol: string | undefined; server: string }[] {
  return text.split(',').map((part) => {
    const [, protocol, server = ''] = protocolAndServer.exec(part.trim()) ?? []
    return { protocol: protocol?.toUpperCase(), server }
  })
}

/** The servers of a comma-separated list of host:port; undefined when it is no such list. */
export function bootstrapServers(text: string): readonly BootstrapServer[] | undefined {
  const servers = serverTexts(text).map((server) => {
    const [, host = '', digits = ''] = hostAndPort.exec(server.toLowerCase()) ?? []
    return { host: canonicalHost(host), port: Number(digits) }
  })
  return servers.every(({ host, port }) => host !== '' && isPort(port)) ? servers : undefined
}

/** Whether destinations may name this server. `by-name`: only where the operator has written down its name or a domain above it, which neither `*`
 *  nor the absence of a list does. */
export type IsServerAllowed = (server: BootstrapServer, how?: 'by-name') => boolean

export const everyServer: IsServerAllowed = (_server, how) => how === undefined

/** Reads the patterns of the option `allowedBootstrapServers`: `kafka.example.org:9092`; `*.kafka.example.org:9092`, any host below that
 *  domain; `*` for any host or any port. Names are compared as they are written: nothing is resolved.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION` */
export function allowedServers(patterns: readonly string[] | undefined): IsServerAllowed {
  if (patterns === undefined) return everyServer
  if (patterns.length === 0) {
    throw invalid('must name at least one server; leave it out to allow every one')
  }
  const allowed = patterns.map(readPattern)
  return (server, how) => allowed.some((isAllowed) => isAllowed(server, how))
}

function readPattern(text: string): IsServerAllowed {
  const [, below = '', name = '', anyHost = '', port = ''] =
    pattern.exec(text.trim().toLowerCase()) ?? []
  const host = canonicalHost(name)
  const isAddress = host.startsWith('[') || /^[\d.]+$/.test(host)
  const isPattern = (anyHost !== '' || host !== '') && (port === '*' || isPort(Number(port)))
  if (!isPattern || (below !== '' && isAddress)) {
    throw invalid('must be a list of host:port, where a host may begin with "*."')
  }
  const isNamed = (server: BootstrapServer): boolean =>
    below === '' ? server.host === host : server.host.endsWith(`.${host}`)
  return (server, how) =>
    (port === '*' || server.port === Number(port)) &&
    (anyHost === '' ? isNamed(server) : how === undefined)
}

/** One spelling for each name and address. Empty when it is none. */
function canonicalHost(host: string): string {
  if (!host.startsWith('[')) return host.replace(/\.$/, '')
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535
}

function invalid(what: string): TopicDestinationError {
  return new TopicDestinationError('KTD_INVALID_OPTION', `allowedBootstrapServers ${what}.`)
}
