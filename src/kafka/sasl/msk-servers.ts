import {
  bootstrapServers,
  type BootstrapServer,
  type IsServerAllowed,
} from '../bootstrap-servers.ts'
import type { ParameterFault } from '../parameter-fault.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'

/** Names that Amazon MSK gives brokers, provisioned and serverless, public and not: https://docs.aws.amazon.com/msk/latest/developerguide/client-access.html */
const mskHost = /^(?:[a-z0-9-]+\.)+kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/
/** Nothing that could lead a request to another host. */
const region = /^[a-z]{2,4}(?:-[a-z]+){1,3}-\d$/

type Servers = Pick<KafkaParameterValues, 'bootstrapServers' | 'awsRegion'>

export function isRegion(text: string): boolean {
  return region.test(text)
}

/** Undefined when Amazon MSK gives no broker such a name. */
function regionOfHost(host: string): string | undefined {
  const [, found = '', china] = mskHost.exec(host) ?? []
  const isInPartition = found.startsWith('cn-') === (china !== undefined)
  return isRegion(found) && isInPartition ? found : undefined
}

/** Those that the names tell. */
function regionsOf(servers: readonly BootstrapServer[]): readonly string[] {
  return [...new Set(servers.flatMap(({ host }) => regionOfHost(host) ?? []))]
}

/** Of the cluster that a token is signed for; undefined when it is not known. Names of one's own for brokers do not tell it. */
export function signingRegion({ bootstrapServers: text, awsRegion }: Servers): string | undefined {
  const [first, ...others] = regionsOf(bootstrapServers(text) ?? [])
  return awsRegion ?? (others.length === 0 ? first : undefined)
}

/** A token that this server signs is shown to whoever answers at `bootstrapServers`, and holds at every cluster of the region. So the servers are those
 *  of Amazon MSK in that region, or the operator has named them. */
export function mskServerFaults(
  values: Servers,
  isAllowed: IsServerAllowed,
): readonly ParameterFault[] {
  const servers = bootstrapServers(values.bootstrapServers)
  // Both are told as what they are, whatever the login.
  if (!servers?.every((server) => isAllowed(server))) return []
  const foreign = servers.find(
    (server) => regionOfHost(server.host) === undefined && !isAllowed(server, 'by-name'),
  )
  return foreign ? [foreignServer(foreign)] : regionFaults(values, regionsOf(servers))
}

function foreignServer({ host, port }: BootstrapServer): ParameterFault {
  const message = `bootstrapServers names ${host}:${port}, which is no name that Amazon MSK gives its brokers (*.kafka.<region>.amazonaws.com), and with AWS_MSK_IAM it would be shown a token of this server; write the names that MSK tells, or have the operator name the server in allowedBootstrapServers (variable ALLOWED_BOOTSTRAP_SERVERS of the reference server).`
  return { parameter: 'bootstrapServers', message }
}

function regionFaults(
  { awsRegion }: Servers,
  [told, another]: readonly string[],
): readonly ParameterFault[] {
  if (another !== undefined) {
    const message = `bootstrapServers names brokers in ${told} and in ${another}; write those of one cluster.`
    return [{ parameter: 'bootstrapServers', message }]
  }
  const message = awsRegionFault(awsRegion, told)
  return message === undefined ? [] : [{ parameter: 'awsRegion', message }]
}

/** @param told by the names of the brokers */
function awsRegionFault(
  awsRegion: string | undefined,
  told: string | undefined,
): string | undefined {
  if (awsRegion === undefined) {
    if (told !== undefined) return undefined
    return 'The names in bootstrapServers do not tell the region of the cluster; write awsRegion.'
  }
  if (!isRegion(awsRegion)) {
    return 'awsRegion must be the name of a region, such as eu-central-1.'
  }
  if (told === undefined || told === awsRegion) return undefined
  return `awsRegion is not ${told}, the region of the brokers in bootstrapServers; correct one of the two, or leave awsRegion out.`
}
