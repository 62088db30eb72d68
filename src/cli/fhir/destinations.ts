import { healths } from '../../monitor/views.ts'
import { isJsonObject, objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printable } from '../printable.ts'
import {
  readStatus,
  verdictOf,
  waitingOf,
  type DestinationStatus,
  type Verdict,
} from './destination-status.ts'
import { FhirRequestError, FhirServer, serverOptions } from './fhir-server.ts'
import { show } from './show.ts'

export const destinationsCommand: Command = {
  name: 'destinations',
  summary:
    'Lists the destinations and how each does, those that need somebody first; ends with 2 when there are such.',
  parameters: '',
  options: serverOptions,
  run: listDestinations,
}

interface Listed {
  readonly id: string
  readonly kind: string
  readonly topic: string
  readonly status: DestinationStatus
}

interface Judged extends Listed {
  readonly verdict: Verdict
}

async function listDestinations(call: CommandCall): Promise<number> {
  const server = new FhirServer(call)
  const listed: Listed[] = []
  for await (const resource of allDestinations(server)) {
    const id = String(resource['id'])
    const status = await statusUnlessGone(server, id)
    // Deleted since it was listed.
    if (!status) continue
    listed.push({ id, kind: String(resource['kind']), topic: String(resource['topic']), status })
  }
  const nowMs = Date.now()
  const judged = listed.map((each) => ({ ...each, verdict: verdictOf(each.status, nowMs) }))
  if (call.options.flag('json')) show(call, listed)
  else call.io.out(table(judged.toSorted(byUrgency)))
  return judged.some(({ verdict }) => verdict.needsSomebody)
    ? exitCodes.differences
    : exitCodes.inLine
}

async function statusUnlessGone(
  server: FhirServer,
  id: string,
): Promise<DestinationStatus | undefined> {
  try {
    return await readStatus(server, encodeURIComponent(id))
  } catch (error) {
    if (isGone(error) && !(await isThere(server, id))) return undefined
    throw error
  }
}

/** A server that has no `$status` answers the same. */
async function isThere(server: FhirServer, id: string): Promise<boolean> {
  try {
    await server.get(`${destinationTypeName}/${encodeURIComponent(id)}`)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

function isGone(error: unknown): boolean {
  return error instanceof FhirRequestError && error.isGone
}

/** The worst first. */
function byUrgency({ verdict: one }: Judged, { verdict: other }: Judged): number {
  const need = Number(other.needsSomebody) - Number(one.needsSomebody)
  return need || healths.indexOf(one.health) - healths.indexOf(other.health)
}

async function* allDestinations(server: FhirServer): AsyncGenerator<JsonObject> {
  let next: string | undefined = `${destinationTypeName}?_count=100`
  while (next !== undefined) {
    const bundle: JsonObject = await server.get(next)
    for (const entry of objectsIn(bundle['entry'])) {
      if (isJsonObject(entry['resource'])) yield entry['resource']
    }
    const link = objectsIn(bundle['link']).find(({ relation }) => relation === 'next')
    next = link && String(link['url'])
  }
}

const heads = [
  'destination',
  'kind',
  'state',
  'delivered',
  'waiting',
  'lost',
  'dead',
  'undecided',
  'trouble',
]

function table(listed: readonly Judged[]): string {
  if (listed.length === 0) return 'There are no destinations.\n'
  const rows = listed.map(({ id, kind, status, verdict }) =>
    [
      id,
      kind.replace('kafka-', ''),
      verdict.health,
      String(status.messagesDelivered ?? ''),
      String(waitingOf(status) ?? ''),
      String(status.messagesLost ?? ''),
      String(status.messagesDead ?? ''),
      String(status.messagesUndecided ?? ''),
      verdict.why ?? '',
    ].map(printable),
  )
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  return [heads, ...rows]
    .map(
      (row) =>
        `${row
          .map((text, column) => text.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
