import assert from 'node:assert/strict'
import type { HttpAnswer, OwnTypesHost } from '../../../src/index.ts'

/** One request to the handler of a host, without any HTTP. */
export async function ask(
  host: OwnTypesHost,
  method: string,
  url: string,
  body?: unknown,
): Promise<HttpAnswer> {
  const answer = await host.handle({
    method,
    url,
    headers: {},
    readBody: () => Promise.resolve(body === undefined ? undefined : { parsed: body }),
  })
  assert.ok(answer, `${method} ${url} is not ours`)
  return answer
}
