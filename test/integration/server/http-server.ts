import { request } from 'node:http'
import type { OperationOutcome } from '@medplum/fhirtypes'
import type { Change, FhirHost, FhirServerModule } from '../../../src/host/types.ts'
import { discardOperationDefinition } from '../../../src/resources/delivery-operation-definitions.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { statusOperationDefinition } from '../../../src/resources/status-operation-definition.ts'
import { subscriptionTopicType } from '../../../src/resources/subscription-topic-type.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import {
  createServer,
  type ReferenceServer,
  type ServerOptions,
} from '../../../src/server/create-server.ts'
import { testDatabase, type CleanUp } from '../../helpers/postgres.ts'

/** Registers the module's own types, and a $status and a $discard that note their calls; notes every committed change. Sends nothing. */
export class RecordingModule implements FhirServerModule {
  readonly name = 'recording'
  readonly changes: Change[] = []
  readonly calls: string[] = []
  readonly life: string[] = []
  host: FhirHost | undefined

  register(host: FhirHost): void {
    this.host = host
    host.registerResourceType(subscriptionTopicType())
    host.registerResourceType(
      topicDestinationType({ secrets: loadSecretSource(), plainSecrets: 'mask' }),
    )
    host.registerOperation({
      code: 'status',
      resourceType: 'AidboxTopicDestination',
      level: 'instance',
      methods: ['GET', 'POST'],
      definition: statusOperationDefinition,
      handle: async ({ id, method, principal }) => {
        await host.authorize?.(principal, 'status', `AidboxTopicDestination/${id}`)
        this.calls.push(`${method} ${id} ${principal?.id ?? 'anybody'}`)
        const parameter = [{ name: 'status', valueString: 'active' }]
        return { resource: { resourceType: 'Parameters', parameter } }
      },
    })
    host.registerOperation({
      code: 'discard',
      resourceType: 'AidboxTopicDestination',
      level: 'instance',
      methods: ['POST'],
      definition: discardOperationDefinition,
      handle: ({ id }) => {
        this.calls.push(`discard ${id}`)
        return Promise.resolve({})
      },
    })
    host.addCommitHooks({
      beforeCommit: () => Promise.resolve(),
      afterCommit: (unit) => {
        this.changes.push(...unit.changes)
        return Promise.resolve()
      },
      afterRollback: () => undefined,
    })
  }

  start(): Promise<void> {
    this.life.push('start')
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.life.push('stop')
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export interface TestServer {
  readonly server: ReferenceServer
  readonly module: RecordingModule
  readonly url: string
}

/** A listening server on a database of its own; closed when `t` ends. */
export async function testServer(
  t: CleanUp,
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const { connectionString } = await testDatabase(t)
  const module = new RecordingModule()
  const server = await createServer({
    databaseUrl: connectionString,
    ...options,
    modules: [module],
  })
  t.after?.(() => server.close())
  return { server, module, url: await server.listen() }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: FhirBody
}

/** What tests look at in any answer. */
export interface FhirBody {
  readonly resourceType?: string
  readonly id?: string
  readonly meta?: {
    readonly versionId?: string
    readonly lastUpdated?: string
    readonly profile?: string[]
  }
  readonly type?: string
  readonly total?: number
  readonly link?: readonly { readonly relation: string; readonly url: string }[]
  readonly entry?: readonly {
    readonly fullUrl?: string
    readonly resource?: FhirBody
    readonly response?: {
      readonly status: string
      readonly location?: string
      readonly outcome?: OperationOutcome
    }
  }[]
  readonly issue?: OperationOutcome['issue']
  readonly [element: string]: unknown
}

/** One request with exactly these headers; an object as body is sent as application/fhir+json. */
export async function call(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (text === '' ? {} : JSON.parse(text)) as FhirBody,
  }
}

/** As `call`, with a path that `fetch` would normalise, and without a content type of its own. */
export function callRaw(
  origin: string,
  method: string,
  path: string,
  { body = '', headers = {} }: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Pick<Answer, 'status' | 'text'> & { readonly headers: NodeJS.Dict<string | string[]> }> {
  const { hostname, port } = new URL(origin)
  // Node sends the body of a DELETE without a length, so that it would be read as the next request.
  const allHeaders = {
    ...(body.length === 0 ? {} : { 'content-length': Buffer.byteLength(body) }),
    ...headers,
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, method, path, headers: allHeaders, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
