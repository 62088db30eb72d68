/** Kafka for a FHIR server that knows nothing of it, here Medplum: node --import tsx examples/history-tables/main.ts
 *
 *  A process of its own beside the server. It puts triggers on the server's history tables, sends what topics select to Kafka, and
 *  serves the two resource types that the server does not have.
 *
 *  DATABASE_URL is the server's database, FHIR_BASE_URL the address of the server, RESOURCE_TYPES (comma-separated) what is captured
 *  (default: all of R4), PORT where it listens on this machine (default 8090). AUTH_TOKEN, when set, is demanded as bearer token. */
import { timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { pino } from 'pino'
import { historyTablesHost } from '../../src/history-tables/index.ts'
import { kafkaTopicDestination } from '../../src/index.ts'

const {
  DATABASE_URL: database,
  FHIR_BASE_URL: fhirBaseUrl = 'http://localhost:8103/fhir/R4',
  RESOURCE_TYPES: types,
  PORT: port = '8090',
  AUTH_TOKEN: token,
} = process.env
if (database === undefined) throw new Error('Set DATABASE_URL to the database of the FHIR server.')

const logger = pino({ level: process.env['LOG_LEVEL'] ?? 'info' }, pino.destination(2))
const app = express()
const server = createServer(app)
await new Promise<void>((resolve) => {
  server.listen(Number(port), '127.0.0.1', resolve)
})
const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`

const host = historyTablesHost({
  database,
  baseUrl,
  logger,
  ...(types === undefined ? {} : { resourceTypes: types.split(',') }),
})
host.load(kafkaTopicDestination({ database, baseUrl: fhirBaseUrl, logger }))
app.use('/fhir', demandToken(token), host.router)
await host.start()
process.stdout.write(`Topics and destinations at ${baseUrl}\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close()
    server.closeIdleConnections()
    void host.stop()
  })
}

function demandToken(wanted: string | undefined): RequestHandler {
  return (request, response, next) => {
    const given = Buffer.from(request.headers.authorization ?? '')
    const expected = Buffer.from(`Bearer ${wanted ?? ''}`)
    const isRight = given.length === expected.length && timingSafeEqual(given, expected)
    if (wanted === undefined || isRight) next()
    else response.status(401).set('www-authenticate', 'Bearer').end()
  }
}
