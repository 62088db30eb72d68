import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getStatus, notFound, OperationOutcomeError } from '@medplum/core'
import type { OperationOutcome } from '@medplum/fhirtypes'
import type { Operation as PatchStep } from 'rfc6902'
import type {
  FhirResource,
  Operation,
  Principal,
  ResourceInteraction,
} from '../../../../src/host/types.ts'
import type { FaultyHost, Traces } from './faulty-host.ts'
import type { Session } from './transactions.ts'

interface Call {
  readonly method: string
  readonly url: URL
  readonly body: unknown
  readonly traces: Traces
  readonly principal: Principal | undefined
  /** Of the Bundle that this is an entry of. */
  readonly session?: Session
}

interface Answer {
  readonly status: number
  readonly body?: object
}

interface BundleLike {
  readonly type: string
  readonly entry: readonly {
    readonly request: { readonly method: string; readonly url: string }
    readonly resource?: FhirResource & { readonly data?: string }
  }[]
}

const interactionOf: Readonly<Record<string, ResourceInteraction>> = {
  POST: 'create',
  GET: 'read',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** Just enough of FHIR REST for a host to be tried over it. */
export class RestServer {
  readonly #host: FaultyHost
  readonly #server: Server

  constructor(host: FaultyHost) {
    this.#host = host
    this.#server = createServer((request, response) => {
      void this.#answer(request, response)
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/fhir`
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await this.#handle(request)
    response.writeHead(status, { 'content-type': 'application/fhir+json' })
    response.end(body ? JSON.stringify(body) : undefined)
  }

  async #handle(request: IncomingMessage): Promise<Answer> {
    try {
      return await this.#route({
        method: request.method ?? 'GET',
        url: new URL(request.url?.replace(/^\/fhir/, '') ?? '', 'http://localhost/'),
        body: await readJson(request),
        traces: this.#host.fault === 'request headers ignored' ? {} : tracesOf(request),
        principal: request.headers.authorization === undefined ? undefined : { id: 'known' },
      })
    } catch (error) {
      return this.#answerOfError(error)
    }
  }

  #answerOfError(error: unknown): Answer {
    if (!(error instanceof OperationOutcomeError) || this.#host.fault === 'every error is 500') {
      return { status: 500, body: { resourceType: 'OperationOutcome', issue: [] } }
    }
    const { outcome } = error
    const status = outcome.id === 'unprocessable-entity' ? 422 : getStatus(outcome)
    return { status, body: outcome }
  }

  async #route(call: Call): Promise<Answer> {
    const [type = '', id, operation] = call.url.pathname.split('/').filter(Boolean)
    if (type === '') return this.#bundle(call)
    if (operation?.startsWith('$') === true) {
      const found = this.#host.operations.find(({ code }) => `$${code}` === operation)
      if (!found || id === undefined) throw new OperationOutcomeError(notFound)
      return this.#operation(call, found, id)
    }
    if (id?.startsWith('$') === true && this.#host.fault !== 'no operations on type level') {
      const found = this.#host.operations.find(
        ({ code, level }) => `$${code}` === id && level === 'type',
      )
      if (!found) throw new OperationOutcomeError(notFound)
      return this.#operation(call, found, undefined)
    }
    const isSearch = call.method === 'GET' && id === undefined
    const interaction = isSearch ? 'search-type' : interactionOf[call.method]
    const registered = this.#host.types.get(type)
    if (
      registered &&
      this.#host.fault !== 'every interaction served' &&
      (!interaction || !registered.interactions.includes(interaction))
    ) {
      return { status: 405, body: notSupported }
    }
    if (isSearch) return this.#search(call, type)
    const work = (session: Session) => this.#interaction(call, session, type, id ?? '')
    if (call.method === 'GET')
      return this.#resourceAnswer(200, await this.#host.get(call.session, type, id ?? ''))
    return call.session ? work(call.session) : this.#host.transactions.run(work)
  }

  async #interaction(call: Call, session: Session, type: string, id: string): Promise<Answer> {
    const { method, traces } = call
    const resource = { ...(call.body as FhirResource), resourceType: type }
    if (method === 'POST')
      return this.#resourceAnswer(201, await this.#host.create(session, resource, traces))
    if (method === 'PUT') {
      return this.#resourceAnswer(
        200,
        await this.#host.update(session, { ...resource, id }, traces),
      )
    }
    if (method === 'PATCH') {
      const steps = call.body as readonly PatchStep[]
      return this.#resourceAnswer(200, await this.#host.patch(session, [type, id], steps))
    }
    await this.#host.delete(session, type, id, traces)
    return { status: 204 }
  }

  async #search({ url }: Call, type: string): Promise<Answer> {
    const all = await this.#host.list(type)
    const ignored = this.#host.fault === 'nothing found by search parameters'
    const found = all.filter((resource) =>
      [...url.searchParams].every(([name, value]) =>
        name === '_id' ? resource.id === value : !ignored && resource[name] === value,
      ),
    )
    const entry = found.map((resource) => ({ resource: this.#toAnswer(resource) }))
    return { status: 200, body: { resourceType: 'Bundle', type: 'searchset', entry } }
  }

  async #operation(call: Call, operation: Operation, id: string | undefined): Promise<Answer> {
    if (id !== undefined && this.#host.fault !== 'operation on unknown instances') {
      await this.#host.get(undefined, operation.resourceType, id)
    }
    const method = call.method === 'POST' ? 'POST' : 'GET'
    const hasInput = method === 'POST' && this.#host.fault !== 'operation without input'
    const { resource } = await operation.handle({
      ...(id === undefined ? {} : { id }),
      method,
      ...(hasInput ? { input: call.body as never } : {}),
      ...(call.principal ? { principal: call.principal } : {}),
    })
    return { status: 200, ...(resource ? { body: resource } : {}) }
  }

  async #bundle(call: Call): Promise<Answer> {
    const { type, entry } = call.body as BundleLike
    const { fault } = this.#host
    const isTogether =
      type === 'transaction'
        ? fault !== 'entries of a transaction apart'
        : fault === 'batch in one transaction'
    const routeAll = async (session?: Session): Promise<object[]> => {
      const entries: object[] = []
      for (const each of entry) {
        try {
          const answer = await this.#route(entryCall(call, each, session))
          entries.push({ response: { status: String(answer.status) } })
        } catch (error) {
          if (type === 'transaction') throw error
          entries.push({ response: { status: String(this.#answerOfError(error).status) } })
        }
      }
      return entries
    }
    const entries = isTogether ? await this.#host.transactions.run(routeAll) : await routeAll()
    return {
      status: 200,
      body: { resourceType: 'Bundle', type: `${type}-response`, entry: entries },
    }
  }

  #resourceAnswer(status: number, stored: FhirResource): Answer {
    return { status, body: this.#toAnswer(stored) }
  }

  #toAnswer(stored: FhirResource): FhirResource {
    if (this.#host.fault === 'toAnswer not called') return stored
    return this.#host.types.get(stored.resourceType)?.toAnswer?.(stored) ?? stored
  }
}

function entryCall(
  call: Call,
  { request, resource }: BundleLike['entry'][number],
  session?: Session,
): Call {
  const body =
    resource?.data === undefined
      ? resource
      : (JSON.parse(Buffer.from(resource.data, 'base64').toString()) as unknown)
  return {
    ...call,
    method: request.method,
    url: new URL(request.url, 'http://localhost/'),
    body,
    ...(session ? { session } : {}),
  }
}

function tracesOf({ headers }: IncomingMessage): Traces {
  const { traceparent } = headers
  const correlationId = headers['x-topic-correlation-id']
  return {
    ...(typeof correlationId === 'string' ? { correlationId } : {}),
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}

const notSupported: OperationOutcome = {
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'not-supported' }],
}
