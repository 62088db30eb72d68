/** The reference server with the module, of which everything that can be looked at is written down before it crashes: crashing-server.ts
 *  DATABASE_URL, VAULT_CONFIG. It crashes on SIGUSR2. */
import { inspect } from 'node:util'
import { pino } from 'pino'
import { kafkaTopicDestination } from '../../src/module.ts'
import { createServer } from '../../src/server/create-server.ts'

const { DATABASE_URL: databaseUrl = '', VAULT_CONFIG: vaultConfigPath = '' } = process.env
const logger = pino({ level: 'trace' }, pino.destination({ dest: 2, sync: true }))
const server = await createServer({ databaseUrl, logger })
const module = kafkaTopicDestination({
  database: databaseUrl,
  baseUrl: server.url,
  vaultConfigPath,
  logger,
})
server.load(module)
process.once('SIGUSR2', () => {
  const everything = { depth: null, showHidden: true, getters: true } as const
  process.stderr.write(`inspected: ${inspect({ module, host: server.host }, everything)}\n`)
  throw Object.assign(new Error('The test has the server crash.'), { module, server })
})
process.stdout.write(`FHIR server ready at ${await server.listen()}\n`)
