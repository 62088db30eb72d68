import type { TailEntry } from '../../monitor/views.ts'
import { objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printable, printableJson } from '../printable.ts'
import { tell, tellTrouble } from '../progress.ts'
import { askAgain } from './ask-again.ts'
import { idOf } from './arguments.ts'
import { ConsoleApi, consoleOption } from './console-api.ts'
import { FhirRequestError, serverOptions } from './fhir-server.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

export const tailCommand: Command = {
  name: 'tail',
  summary:
    "Shows notifications as they are sent, by reference, until Ctrl-C. Asks the server's console, and connects again when the server restarts.",
  parameters: '',
  options: {
    destination: { type: 'string', value: 'ID', doc: 'Only of this destination.' },
    topic: { type: 'string', value: 'URL', doc: 'Only of this topic.' },
    ...serverOptions,
    ...consoleOption,
  },
  run: tail,
}

const reconnectMs = 1000

async function tail(call: CommandCall): Promise<number> {
  const { io } = call
  const api = new ConsoleApi(call)
  const query = await tailQuery(call, api)
  const stopped = io.stopped?.()
  const open = async (): Promise<Stream> => api.stream(`/tail?${query.toString()}`, stopped)
  let stream = await open().catch((error: unknown) => {
    if (stopped?.aborted === true) return undefined
    throw error
  })
  if (stream) tell(io, `Live from ${api.url}. Ctrl-C ends it.`)
  while (stream) {
    const why = await untilBroken(call, withNext(stream, open), (position) => {
      // The next stream begins with what was sent since then.
      if (position !== '') query.set('after', position)
    })
    if (stopped?.aborted === true) break
    tellTrouble(io, why, 'connecting again')
    stream = await askAgain(io, { intervalMs: reconnectMs, stopped }, open)
    if (stream) tell(io, 'Connected again.')
  }
  return exitCodes.inLine
}

type Stream = AsyncIterable<ServerSentEvent>

/** @throws FhirRequestError when the console does not know the destination */
async function tailQuery({ options }: CommandCall, api: ConsoleApi): Promise<URLSearchParams> {
  const [destination, topic] = [options.text('destination'), options.text('topic')]
  const query = new URLSearchParams(topic === undefined ? {} : { topic })
  if (destination !== undefined) {
    const id = idOf(destination, destinationTypeName)
    // Nothing would ever come of one that is not there.
    await api.check(`/destinations/${id}`)
    query.set('destination', decodeURIComponent(id))
  }
  return query
}

/** A stream, and the next one as often as the server wants to know again who listens, which ends each after five minutes. */
async function* withNext(first: Stream, open: () => Promise<Stream>): Stream {
  let next: Stream | undefined = first
  while (next) {
    const stream: Stream = next
    next = undefined
    for await (const event of stream) {
      yield event
      if (event.event === 'again') {
        next = await open()
        break
      }
    }
  }
}

/** @returns why it has ended */
async function untilBroken(
  call: CommandCall,
  stream: Stream,
  onPosition: (position: string) => void,
): Promise<string> {
  try {
    for await (const { event, data, id } of stream) {
      if (event === 'gap') tell(call.io, 'What was sent meanwhile is not shown.')
      if (event === 'tail') for (const entry of entriesOf(data)) show(call, entry)
      onPosition(id)
    }
    return 'The server has ended the stream.'
  } catch (error) {
    if (error instanceof FhirRequestError && error.isTransient) return error.message
    throw error
  }
}

/** @throws FhirRequestError */
function entriesOf(data: string): readonly JsonObject[] {
  try {
    return objectsIn(JSON.parse(data))
  } catch {
    throw new FhirRequestError('This is not the live tail of a console: it is not JSON.', false)
  }
}

/** References only, whatever a server adds. */
const shownFields: readonly (keyof TailEntry)[] = [
  'number',
  'at',
  'state',
  'destination',
  'interaction',
  'resource',
  'versionId',
  'topicUrl',
]

function show({ io, options }: CommandCall, entry: JsonObject): void {
  if (options.flag('json')) {
    io.out(`${printableJson(Object.fromEntries(shownFields.map((name) => [name, entry[name]])))}\n`)
    return
  }
  const text = (name: keyof TailEntry): string => {
    const value = entry[name]
    return typeof value === 'string' ? printable(value) : ''
  }
  const version = text('versionId') === '' ? '' : `/_history/${text('versionId')}`
  const columns = [
    text('at'),
    text('state').padEnd('handed-over'.length),
    text('destination'),
    text('interaction').padEnd('update'.length),
    `${text('resource')}${version}`,
    text('topicUrl'),
  ]
  io.out(`${columns.join('  ')}\n`)
}
