import type { DeadLetterListing } from '../../retry/index.ts'
import { TopologyError } from '../../topology/finding.ts'
import { exitCodes, type Command } from '../command.ts'
import { withProgress } from '../progress.ts'
import { deadLetterCall, deadLetterOptions } from './dead-letter-call.ts'
import { json } from './topology-file.ts'
import { withCluster } from './with-cluster.ts'

export const dlqPurgeCommand: Command = {
  name: 'topology dlq purge',
  summary: 'Deletes the dead letters of a topic, for good; what comes meanwhile stays.',
  parameters: 'FILE TOPIC',
  options: {
    ...deadLetterOptions,
    before: {
      type: 'string',
      value: 'PARTITION:OFFSET,…',
      doc: 'Only what stands before these offsets: `to` of what ls --json has shown. Default: all that is there now.',
    },
    yes: { type: 'boolean', doc: 'Delete. Without it nothing is deleted.' },
  },
  run: async (call) => {
    const { io, options } = call
    const { retry, source, topology, topic, connection } = await deadLetterCall(call)
    const before = beforeOf(options.text('before'))
    const listing = await withProgress(io, (tell) =>
      retry.listDeadLetters(topology, topic, {
        connection,
        onProgress: (done, total) => {
          tell(done, total, 'records')
        },
      }),
    )
    if (!options.flag('yes')) {
      throw new TopologyError(
        `${listing.deadLetterTopic} has ${listing.records} dead letters; --yes deletes them for good.`,
      )
    }
    const purged = before ? limited(listing, before) : listing
    await withCluster(source, call, (admin) => retry.purgeDeadLetters(purged, admin))
    const { deadLetterTopic, partitions } = purged
    if (options.flag('json')) {
      const ends = partitions.map(({ partition, to }) => ({ partition, before: to }))
      io.out(json({ deadLetterTopic, partitions: ends }))
    } else {
      for (const { partition, to } of partitions) {
        io.out(`${deadLetterTopic} partition ${partition}: nothing is left before offset ${to}\n`)
      }
    }
    return exitCodes.inLine
  },
}

function beforeOf(text: string | undefined): ReadonlyMap<number, number> | undefined {
  if (text === undefined) return undefined
  const entries = text.split(',').map((entry) => /^(\d{1,9}):(\d{1,15})$/.exec(entry.trim()))
  return new Map(
    entries.map((entry) => {
      if (!entry) throw new TopologyError(`--before ${text} is not of the form PARTITION:OFFSET,….`)
      return [Number(entry[1]), Number(entry[2])] as const
    }),
  )
}

/** Never more than is there: what was seen stays what is deleted. */
function limited(
  listing: DeadLetterListing,
  before: ReadonlyMap<number, number>,
): Pick<DeadLetterListing, 'deadLetterTopic' | 'partitions'> {
  const { deadLetterTopic, partitions } = listing
  return {
    deadLetterTopic,
    partitions: partitions.flatMap((one) => {
      const to = before.get(one.partition)
      return to === undefined ? [] : [{ ...one, to: Math.min(to, one.to) }]
    }),
  }
}
