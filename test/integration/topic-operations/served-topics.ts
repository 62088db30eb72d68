import type { TestContext } from 'node:test'
import type { OperationOutcomeIssue, Parameters, ParametersParameter } from '@medplum/fhirtypes'
import type { Pool } from 'pg'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { ModuleOptions } from '../../../src/options.ts'
import type { Logger } from '../../../src/observability/logger.ts'
import { createServer, type ServerOptions } from '../../../src/server/create-server.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { call, type Answer } from '../server/http-server.ts'

export interface ServedTopics {
  readonly url: string
  readonly fhir: FhirClient
  readonly pool: Pool
  readonly connectionString: string
  /** `POST AidboxSubscriptionTopic/<path>` with these parameters. */
  readonly ask: (path: string, ...parameter: ParametersParameter[]) => Promise<Answer>
}

/** The reference server with the module loaded. */
export async function serveTopics(
  t: TestContext,
  options: Partial<ModuleOptions> = {},
  serverOptions: Partial<ServerOptions> & { readonly logger?: Logger } = {},
): Promise<ServedTopics> {
  const { connectionString, pool } = await testDatabase(t)
  const server = await createServer({ databaseUrl: connectionString, ...serverOptions })
  server.load(
    kafkaTopicDestination({
      database: connectionString,
      baseUrl: server.url,
      registryLeaseMs: 50,
      stopTimeoutMs: 1000,
      ...options,
    }),
  )
  t.after(() => server.close())
  const url = await server.listen()
  return {
    url,
    fhir: new FhirClient(url),
    pool,
    connectionString,
    ask: (path, ...parameter) =>
      call(`${url}/AidboxSubscriptionTopic/${path}`, 'POST', parameters(...parameter)),
  }
}

export function parameters(...parameter: ParametersParameter[]): Parameters {
  return { resourceType: 'Parameters', parameter }
}

export function resource(name: string, given: object): ParametersParameter {
  // Types of modules are not in fhirtypes.
  return { name, resource: given as NonNullable<ParametersParameter['resource']> }
}

export function reference(name: string, to: string): ParametersParameter {
  return { name, valueReference: { reference: to } }
}

/** Values of an answer by name; of what is there several times, a list. */
export interface Told {
  readonly [name: string]: unknown
}

export function told(answer: Answer): Told {
  // A body is typed as what tests look at in any answer.
  return values((answer.body as unknown as Parameters).parameter ?? [])
}

const lists: ReadonlySet<string> = new Set([
  'trigger',
  'part',
  'operand',
  'sample',
  'error',
  'value',
])

function values(all: readonly ParametersParameter[]): Told {
  const found: Record<string, unknown> = {}
  for (const { name, part, resource: inner, ...rest } of all) {
    const value: unknown = part ? values(part) : (inner ?? Object.values(rest)[0])
    const isList = lists.has(name) && part !== undefined
    found[name] = isList ? [...((found[name] as unknown[] | undefined) ?? []), value] : value
  }
  return found
}

export function issuesOf(answer: Answer): readonly OperationOutcomeIssue[] {
  return answer.body.issue ?? []
}
