/** A home-grown FHIR service on Express and pg that sends its changes to Kafka:
 *
 *      DATABASE_URL=postgres://… node --import tsx examples/express-pg/main.ts
 *
 *  PORT (default 3000) is on the loopback address. What is about the module stands in this file and in six lines of
 *  transactions.ts, those with `host` and `unit`; the rest is the service as it was. */
import { once } from 'node:events'
import express from 'express'
import { Pool } from 'pg'
import { kafkaTopicDestination } from '../../src/index.ts' // 'fhir-topic-destination-kafka'
import { expressHost } from '../../src/http/express.ts' // 'fhir-topic-destination-kafka/express'
import { fhirRoutes } from './fhir-routes.ts'
import { createTables, readResources } from './resource-table.ts'
import { transactions } from './transactions.ts'

const database = process.env['DATABASE_URL']
if (database === undefined) throw new Error('DATABASE_URL is missing.')
const port = Number(process.env['PORT'] ?? 3000)
const baseUrl = `http://127.0.0.1:${port}/fhir`
const pool = new Pool({ connectionString: database })
pool.on('error', console.error)
// Between two statements of a transaction nobody else listens.
pool.on('connect', (client) => client.on('error', console.error))
await createTables(pool)

// Loads the module: it keeps its two resource types in its own schema, and host.router serves them.
const host = expressHost({
  pool,
  baseUrl,
  read: (references, tx) => readResources(tx ?? pool, references),
})
const module = kafkaTopicDestination({ database, baseUrl })
module.register(host)
await module.start()

const app = express()
app.use('/fhir', host.router)
app.use('/fhir', fhirRoutes(pool, transactions(pool, host)))
const server = app.listen(port, '127.0.0.1')
await once(server, 'listening')
console.log(`FHIR service at ${baseUrl}`)

process.once('SIGTERM', () => {
  server.close()
  // Requests first, then what they caused, then the pool.
  void once(server, 'close')
    .then(() => module.stop())
    .then(() => pool.end())
})
