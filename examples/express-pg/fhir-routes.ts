import { randomUUID } from 'node:crypto'
import { OperationOutcomeError } from '@medplum/core'
import express, { type NextFunction, type Request, type Response, type Router } from 'express'
import type { Pool } from 'pg'
import { statusOf } from '../../src/http/express.ts' // 'fhir-topic-destination-kafka/express'
import type { FhirResource } from '../../src/index.ts'
import { readResources, type StoredResource } from './resource-table.ts'
import type { RunTransaction, Writes } from './transactions.ts'

const types = ['Patient', 'Observation']

const noType = (type: string): string =>
  `There is no type ${type}: this service knows ${types.join(' and ')} only.`

interface Entry {
  readonly request?: { readonly method?: string; readonly url?: string }
  readonly resource?: FhirResource
}

/** What is posted, as far as it is one. */
type Transaction = { readonly type?: string; readonly entry?: readonly Entry[] } | undefined

const statusOfSqlClass: Readonly<Record<string, number>> = { 22: 400, 40: 409 }

const textOfStatus: Readonly<Record<number, string>> = {
  400: 'The database cannot store this.',
  409: 'Another request was faster; try again.',
}

/** Create, read, update, delete and transactions of patients and observations. */
export function fhirRoutes(pool: Pool, transaction: RunTransaction): Router {
  const router = express.Router()
  router.use(express.json({ type: ['application/json', 'application/fhir+json'] }))
  router.param('type', (_request, response, next, type: string) => {
    if (types.includes(type)) next()
    else answer(response, 404, outcome(noType(type)))
  })

  router.post('/', async (request: Request<object, unknown, Transaction>, response) => {
    const { type, entry = [] } = request.body ?? {}
    if (type !== 'transaction') {
      answer(response, 400, outcome('Only a transaction can be posted here.'))
      return
    }
    const entries = await transaction(async (writes) => {
      const done = []
      for (const each of entry) done.push(await runEntry(writes, each))
      return done
    })
    answer(response, 200, { resourceType: 'Bundle', type: 'transaction-response', entry: entries })
  })

  router.post('/:type', async ({ params, body }: Request<Target, unknown, object>, response) => {
    const resource = { ...body, resourceType: params.type, id: randomUUID() }
    answer(response, 201, await transaction((writes) => writes.put(resource)))
  })

  router.put('/:type/:id', async ({ params, body }: Request<Target, unknown, object>, response) => {
    const resource = { ...body, resourceType: params.type, id: params.id }
    answer(response, 200, await transaction((writes) => writes.put(resource)))
  })

  router.get('/:type/:id', async ({ params }: Request<Target>, response) => {
    const reference = `${params.type}/${params.id}`
    const found = (await readResources(pool, [reference])).get(reference)
    answer(response, found ? 200 : 404, found ?? outcome(`There is no ${reference}.`))
  })

  router.delete('/:type/:id', async ({ params }: Request<Target>, response) => {
    const { type, id } = params
    const isDeleted = await transaction((writes) => writes.delete(type, id))
    if (isDeleted) response.status(204).end()
    else answer(response, 404, outcome(`There is no ${type}/${id}.`))
  })

  router.use((_request, response) => {
    answer(response, 404, outcome('No resource and no operation has this address.'))
  })

  router.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    // A hook of the module refuses a write by an outcome.
    if (error instanceof OperationOutcomeError) {
      answer(response, statusOf(error.outcome), { ...error.outcome })
      return
    }
    // Errors for the client have a status: those of the body parser, and ours. What PostgreSQL refuses (class 22) is the client's too, and
    // after a lost race (class 40) the client may try again.
    const { code, message, ...own } = error as { status?: number; code?: string; message?: string }
    const status = own.status ?? statusOfSqlClass[String(code).slice(0, 2)]
    // Never the error itself: PostgreSQL quotes the row.
    if (status === undefined) console.error('a request failed', code ?? 'without a code')
    const text = own.status === undefined ? (textOfStatus[status ?? 500] ?? 'It failed.') : message
    answer(response, status ?? 500, outcome(`${text}`, status === 409 ? 'transient' : 'processing'))
  })
  return router
}

interface Target {
  readonly type: string
  readonly id: string
}

async function runEntry(writes: Writes, { request, resource }: Entry): Promise<object> {
  const [type = '', id = randomUUID()] = (request?.url ?? '').split('/')
  if (!types.includes(type)) {
    throw Object.assign(new Error(noType(type)), { status: 400 })
  }
  if (request?.method === 'DELETE') {
    await writes.delete(type, id)
    return { response: { status: '204' } }
  }
  const stored = await writes.put({ ...resource, resourceType: type, id })
  return { resource: stored, response: { status: request?.method === 'POST' ? '201' : '200' } }
}

function answer(
  response: Response,
  status: number,
  body: StoredResource | { readonly resourceType: string; readonly [element: string]: unknown },
): void {
  response.status(status).type('application/fhir+json').send(JSON.stringify(body))
}

function outcome(text: string, code = 'processing') {
  const issue = [{ severity: 'error', code, details: { text } }]
  return { resourceType: 'OperationOutcome', issue }
}
