import { isDeepStrictEqual } from 'node:util'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printableJson, printableYaml } from '../printable.ts'
import { askAgain } from './ask-again.ts'
import { idOf, numberOption, onlyArgument } from './arguments.ts'
import {
  needsAttention,
  readStatus,
  verdictOf,
  verdictText,
  type DestinationStatus,
} from './destination-status.ts'
import { FhirServer, serverOptions } from './fhir-server.ts'
import { show } from './show.ts'

export const statusCommand: Command = {
  name: 'status',
  summary:
    'Says how delivery of a destination goes, the verdict first; ends with 2 when it needs somebody.',
  parameters: 'DESTINATION',
  options: {
    ...serverOptions,
    watch: { type: 'boolean', doc: 'Go on until it is ended, and print again what has changed.' },
    interval: {
      type: 'string',
      value: 'SECONDS',
      doc: 'Time between two looks with --watch, from 1. Default: 1.',
    },
  },
  run: showStatus,
}

/** Seconds. Node's timers end at 25 days. */
const intervalRange = { minimum: 1, maximum: 86_400 }

async function showStatus(call: CommandCall): Promise<number> {
  const server = new FhirServer(call)
  const id = idOf(onlyArgument(call, 'destination'), destinationTypeName)
  const intervalMs = 1000 * (numberOption(call, 'interval', intervalRange) ?? 1)
  const isWatched = call.options.flag('watch')
  const status = await (isWatched ? watch(call, server, id, intervalMs) : readStatus(server, id))
  if (!isWatched && call.options.flag('json')) show(call, status)
  else if (!isWatched) call.io.out(blockOf(status, Date.now()))
  return needsAttention(status) ? exitCodes.differences : exitCodes.inLine
}

/** The verdict, what to do, and what it is made from. */
function blockOf(status: DestinationStatus, nowMs: number): string {
  const verdict = verdictOf(status, nowMs)
  const action = verdict.action === undefined ? '' : `What to do: ${verdict.action}\n`
  return `${verdictText(verdict)}\n${action}${printableYaml(status)}`
}

/** On a terminal in one place, else one block below the other, each when something has changed; with --json a line for each look. */
async function watch(
  call: CommandCall,
  server: FhirServer,
  id: string,
  intervalMs: number,
): Promise<DestinationStatus> {
  const { io, options } = call
  let status = await readStatus(server, id)
  const stopped = io.stopped?.()
  for (let shown: unknown; ;) {
    const nowMs = Date.now()
    const seen = withoutTimes(status, nowMs)
    if (options.flag('json')) io.out(`${printableJson(status)}\n`)
    else if (!isDeepStrictEqual(seen, shown)) {
      const clear = io.isTerminal && shown !== undefined ? clearScreen : ''
      const time = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
      io.out(`${clear}--- ${time}\n${blockOf(status, nowMs)}`)
    }
    shown = seen
    const next = await askAgain(io, { intervalMs, stopped }, () => readStatus(server, id, stopped))
    if (!next) return status
    status = next
  }
}

/** What a look has told, without the times: each attempt at the same event has the same error a little later. */
function withoutTimes(status: DestinationStatus, nowMs: number): unknown {
  const errors = status.lastErrorDetail?.map(({ message }) => message)
  return { ...status, lastErrorDetail: errors, health: verdictOf(status, nowMs).health }
}

const clearScreen = '\u001B[2J\u001B[H'
