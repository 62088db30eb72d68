import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { forbidden, getStatus, OperationOutcomeError } from '@medplum/core'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { Pool } from 'pg'
import type { Operation } from 'rfc6902'
import { fromPg } from '../../../../src/host/sql-tx.ts'
import type { FhirResource, FhirServerModule } from '../../../../src/host/types.ts'
import { expressHost } from '../../../../src/http/express.ts'
import { CommitHookAdapter } from './commit-hook-adapter.ts'
import { MedplumLikeRepository, readMedplumLike } from './repository.ts'

export interface MedplumLikeServer {
  readonly baseUrl: string
  /** The repository of one request. */
  repository(): MedplumLikeRepository
  close(): Promise<void>
}

/** A server on Medplum-like tables with a module loaded: the module's types and operations are served by its own router, everything
 *  else by the server. A request with any Authorization header is of somebody known. */
export async function startMedplumLike(
  pool: Pool,
  createModule: (baseUrl: string) => FhirServerModule,
): Promise<MedplumLikeServer> {
  const app = express()
  const listener = app.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const baseUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/fhir`
  const host = expressHost({
    pool,
    baseUrl,
    read: (references, tx) => readMedplumLike(tx ?? fromPg(pool), references),
    principalOf: ({ headers }) =>
      headers.authorization === undefined ? undefined : { id: headers.authorization },
    authorize: (principal) =>
      principal ? Promise.resolve() : Promise.reject(new OperationOutcomeError(forbidden)),
  })
  const module = createModule(baseUrl)
  module.register(host)
  await module.start()
  const adapter = new CommitHookAdapter(() => host.unitOfWork())
  const repository = () => new MedplumLikeRepository(pool, adapter)
  app.use('/fhir', host.router, express.json({ type: '*/*' }), resourceRoutes(repository))
  return {
    baseUrl,
    repository,
    async close() {
      listener.close()
      listener.closeAllConnections()
      await once(listener, 'close')
      await module.stop()
    },
  }
}

function resourceRoutes(repository: () => MedplumLikeRepository): express.Router {
  const routes = express.Router()
  routes.post('/:type', async ({ body }, response) => {
    response.status(201).json(await repository().createResource(body as FhirResource))
  })
  routes
    .route('/:type/:id')
    .put(async ({ body, params: { id } }, response) => {
      response.json(await repository().updateResource({ ...(body as FhirResource), id }))
    })
    .patch(async ({ body, params: { type, id } }, response) => {
      response.json(await repository().patchResource(type, id, body as Operation[]))
    })
    .delete(async ({ params: { type, id } }, response) => {
      await repository().deleteResource(type, id)
      response.status(204).end()
    })
  routes.use(answerError)
  return routes
}

/** Express knows a handler of errors by its four parameters. */
function answerError(
  error: unknown,
  _request: Request,
  response: Response,
  next: NextFunction,
): void {
  if (!(error instanceof OperationOutcomeError)) {
    next(error)
    return
  }
  const { outcome } = error
  const status = outcome.id === 'unprocessable-entity' ? 422 : getStatus(outcome)
  response.status(status).json(outcome)
}
