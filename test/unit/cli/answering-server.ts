import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { CommandIo } from '../../../src/cli/command.ts'
import { runCommand } from '../../../src/cli/run-command.ts'

export type Answer = (response: ServerResponse) => void

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Requests that the server has got. */
  readonly requests: number
}

/** Runs a command on a server that answers one request after the other so, and the last way from then on. */
export async function run(
  t: TestContext,
  args: readonly string[],
  answers: readonly Answer[],
  more: Partial<CommandIo> = {},
): Promise<Outcome> {
  let requests = 0
  const server = createServer((_request, response) => {
    answers[Math.min(requests++, answers.length - 1)]?.(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`
  let [out, err] = ['', '']
  const code = await runCommand(args, {
    env: { FHIR_URL: url },
    isTerminal: false,
    out: (text) => (out += text),
    err: (text) => (err += text),
    ...more,
  })
  return { code, out, err, requests }
}

/** FHIR in JSON. */
export const json =
  (body: object, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/fhir+json' })
    response.end(JSON.stringify(body))
  }

export const parameters = (...parameter: object[]): object => ({
  resourceType: 'Parameters',
  parameter,
})
