import { exitCodes, type Command } from '../command.ts'
import { printable } from '../printable.ts'
import { withProgress } from '../progress.ts'
import { deadLetterCall, deadLetterOptions } from './dead-letter-call.ts'
import { json } from './topology-file.ts'

export const dlqLsCommand: Command = {
  name: 'topology dlq ls',
  summary:
    'Counts the dead letters of a topic, by partition and by error class. Exits 2 when there are some.',
  parameters: 'FILE TOPIC',
  options: deadLetterOptions,
  run: async (call) => {
    const { io, options } = call
    const { retry, topology, topic, connection } = await deadLetterCall(call)
    const listing = await withProgress(io, (tell) =>
      retry.listDeadLetters(topology, topic, {
        connection,
        onProgress: (done, total) => {
          tell(done, total, 'records')
        },
      }),
    )
    if (options.flag('json')) io.out(json(listing))
    else {
      const { deadLetterTopic, records, partitions, errorClasses } = listing
      io.out(`${deadLetterTopic}: ${records} dead letters\n`)
      for (const { partition, records: count, from, to } of partitions) {
        if (count > 0) io.out(`  partition ${partition}: ${count}, offsets ${from} to ${to - 1}\n`)
      }
      for (const [name, count] of Object.entries(errorClasses))
        io.out(`  ${printable(name)}: ${count}\n`)
    }
    return listing.records === 0 ? exitCodes.inLine : exitCodes.differences
  },
}
