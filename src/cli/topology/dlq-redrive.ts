import { exitCodes, type Command } from '../command.ts'
import { withProgress } from '../progress.ts'
import {
  deadLetterCall,
  deadLetterOptions,
  selectionOf,
  selectionOptions,
} from './dead-letter-call.ts'
import { json } from './topology-file.ts'

export const dlqRedriveCommand: Command = {
  name: 'topology dlq redrive',
  summary:
    'Sends dead letters to their topic again, each once, whatever ends the command. Exits 2 when some are left.',
  parameters: 'FILE TOPIC',
  options: { ...deadLetterOptions, ...selectionOptions },
  run: async (call) => {
    const { io, options } = call
    const { retry, topology, topic, connection } = await deadLetterCall(call)
    const redrive = await withProgress(io, (tell) =>
      retry.redriveDeadLetters(topology, topic, {
        connection,
        ...selectionOf(options),
        onProgress: (done, total) => {
          tell(done, total, 'sent')
        },
      }),
    )
    if (options.flag('json')) io.out(json(redrive))
    else {
      for (const [reason, count] of Object.entries(redrive.obstacles)) {
        io.out(`${count} cannot be sent: ${reason}\n`)
      }
      io.out(`${redrive.sent} sent again, ${redrive.left} left\n`)
    }
    return redrive.left === 0 ? exitCodes.inLine : exitCodes.differences
  },
}
