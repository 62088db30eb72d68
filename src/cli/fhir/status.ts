import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printableJson, printableYaml } from '../printable.ts'
import { askAgain } from './ask-again.ts'
import { idOf, numberOption, onlyArgument } from './arguments.ts'
import { needsAttention, readStatus, type DestinationStatus } from './destination-status.ts'
import { FhirServer, serverOptions } from './fhir-server.ts'
import { show } from './show.ts'

export const statusCommand: Command = {
  name: 'status',
  summary: 'Says how delivery of a destination goes; ends with 2 when it needs somebody.',
  parameters: 'DESTINATION',
  options: {
    ...serverOptions,
    watch: { type: 'boolean', doc: 'Go on until it is ended.' },
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
  if (!isWatched) show(call, status)
  return needsAttention(status) ? exitCodes.differences : exitCodes.inLine
}

/** On a terminal in one place, else a block or a line of JSON for each look. */
async function watch(
  call: CommandCall,
  server: FhirServer,
  id: string,
  intervalMs: number,
): Promise<DestinationStatus> {
  const { io, options } = call
  let status = await readStatus(server, id)
  const stopped = io.stopped?.()
  for (let look = 0; ; look++) {
    if (options.flag('json')) io.out(`${printableJson(status)}\n`)
    else
      io.out(`${look === 0 ? '' : io.isTerminal ? clearScreen : '---\n'}${printableYaml(status)}`)
    const next = await askAgain(io, { intervalMs, stopped }, () => readStatus(server, id, stopped))
    if (!next) return status
    status = next
  }
}

const clearScreen = '\u001B[2J\u001B[H'
