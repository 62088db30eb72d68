import { setTimeout as delay } from 'node:timers/promises'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { idOf, numberOption, onlyArgument } from './arguments.ts'
import { needsAttention, readStatus, type DestinationStatus } from './destination-status.ts'
import { FhirServer, serverOptions } from './fhir-server.ts'
import { show, textOf } from './show.ts'

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
      doc: 'Time between two looks with --watch. Default: 1.',
    },
  },
  run: showStatus,
}

async function showStatus(call: CommandCall): Promise<number> {
  const server = new FhirServer(call)
  const id = idOf(onlyArgument(call, 'destination'), destinationTypeName)
  let status = await readStatus(server, id)
  if (call.options.flag('watch')) status = await watch(call, server, id, status)
  else show(call, status)
  return needsAttention(status) ? exitCodes.differences : exitCodes.inLine
}

/** On a terminal in one place, else a block or a line of JSON for each look. */
async function watch(
  call: CommandCall,
  server: FhirServer,
  id: string,
  first: DestinationStatus,
): Promise<DestinationStatus> {
  const { io, options } = call
  const intervalMs = 1000 * (numberOption(call, 'interval') ?? 1)
  let status = first
  for (let look = 0; ; look++) {
    if (options.flag('json')) io.out(`${JSON.stringify(status)}\n`)
    else io.out(`${look === 0 ? '' : io.isTerminal ? clearScreen : '---\n'}${textOf(status)}`)
    await delay(intervalMs, undefined, io.stopped ? { signal: io.stopped } : {}).catch(
      () => undefined,
    )
    if (io.stopped?.aborted === true) return status
    status = await readStatus(server, id)
  }
}

const clearScreen = '\u001B[2J\u001B[H'
