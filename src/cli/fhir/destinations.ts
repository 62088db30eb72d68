import { isJsonObject, objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printable } from '../printable.ts'
import {
  needsAttention,
  readStatus,
  troubleOf,
  type DestinationStatus,
} from './destination-status.ts'
import { FhirServer, serverOptions } from './fhir-server.ts'
import { show } from './show.ts'

export const destinationsCommand: Command = {
  name: 'destinations',
  summary: 'Lists the destinations with their state; ends with 2 when one needs somebody.',
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

async function listDestinations(call: CommandCall): Promise<number> {
  const server = new FhirServer(call)
  const listed: Listed[] = []
  for await (const resource of allDestinations(server)) {
    const id = String(resource['id'])
    const status = await readStatus(server, encodeURIComponent(id))
    listed.push({ id, kind: String(resource['kind']), topic: String(resource['topic']), status })
  }
  if (call.options.flag('json')) show(call, listed)
  else call.io.out(table(listed))
  return listed.some(({ status }) => needsAttention(status))
    ? exitCodes.differences
    : exitCodes.inLine
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
  'status',
  'delivered',
  'queued',
  'lost',
  'dead',
  'undecided',
  'trouble',
]

function table(listed: readonly Listed[]): string {
  if (listed.length === 0) return 'There are no destinations.\n'
  const nowMs = Date.now()
  const rows = listed.map(({ id, kind, status }) =>
    [
      id,
      kind.replace('kafka-', ''),
      status.status ?? '',
      String(status.messagesDelivered ?? ''),
      String(status.messagesQueued ?? ''),
      String(status.messagesLost ?? ''),
      String(status.messagesDead ?? ''),
      String(status.messagesUndecided ?? ''),
      troubleOf(status, nowMs) ?? '',
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
