/** One node of a chaos run: the reference server with the module loaded, set up by environment variables as `npm start` is.
 *
 *  SIGUSR2 arms it: it kills itself when it is about to acknowledge the next page, whose Kafka transaction is committed by then. */
import { Client } from 'pg'
import { pino } from 'pino'
import { kafkaTopicDestination } from '../src/module.ts'
import type { ModuleOptions } from '../src/options.ts'
import { createServer } from '../src/server/create-server.ts'
import { acknowledgementSql, beforeQuery } from './statements.ts'

const {
  DATABASE_URL: databaseUrl = '',
  CHAOS_MODULE_OPTIONS: variant = '{}',
  CHAOS_PLANTED: planted,
} = process.env

if (planted !== undefined && planted !== '') await import(`./planted/${planted}.ts`)

let isArmed = false
process.on('SIGUSR2', () => {
  isArmed = true
})
beforeQuery(Client, (text) => {
  if (isArmed && text.includes(acknowledgementSql)) process.kill(process.pid, 'SIGKILL')
  return text
})

const logger = pino({ level: 'info', base: null }, pino.destination({ dest: 2, sync: true }))
const server = await createServer({ databaseUrl, port: 0, logger })
server.load(
  kafkaTopicDestination({
    database: databaseUrl,
    baseUrl: server.url,
    ...(JSON.parse(variant) as Partial<ModuleOptions>),
    stopTimeoutMs: 3000,
    logger,
  }),
)
const stop = new Promise((resolve) => process.once('SIGTERM', resolve))
// A database that is away at the start ends the process, which is started again.
const url = await server.listen()
process.stdout.write(`FHIR server ready at ${url}\n`)
await stop
await server.close(3000)
process.exit(0)
