import { once } from 'node:events'
import { consoleUrl } from '../../server/console-url.ts'
import { startFailure } from '../../server/start-failure.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printableJson } from '../printable.ts'
import { tellError } from '../tell-error.ts'
import type { DemoResult } from './run-demo.ts'

export const demoCommand: Command = {
  name: 'demo',
  summary:
    'Shows a write on its way to Kafka, on a PostgreSQL, a mock Kafka and a server that it starts. DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS use yours.',
  parameters: '',
  options: {
    keep: { type: 'boolean', doc: 'Leave everything running until Ctrl-C.' },
  },
  run: async (call) => {
    const { io, options } = call
    const { runDemo } = await import('./run-demo.ts')
    try {
      await runDemo({
        env: io.env,
        say: (text) => {
          if (!options.flag('json')) io.out(`${text}\n`)
        },
        played: (result) => played(call, result),
      })
      return exitCodes.inLine
    } catch (error) {
      tellError(io, options.flag('json'), startFailure(error))
      return exitCodes.error
    }
  },
}

async function played({ io, options }: CommandCall, result: DemoResult): Promise<void> {
  const { url, databaseUrl, bootstrapServers, records, status } = result
  if (options.flag('json')) io.out(`${printableJson({ url, records, status }, 2)}\n`)
  if (!options.flag('keep')) return
  if (!options.flag('json')) {
    io.out(
      `Running until Ctrl-C: ${url}\nConsole: ${consoleUrl(url)}\nPostgreSQL: ${databaseUrl}\nKafka: ${bootstrapServers}\n`,
    )
  }
  const stopped = io.stopped?.()
  if (stopped?.aborted === false) await once(stopped, 'abort')
}
