import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { runCommand } from '../../../src/cli/run-command.ts'

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly requests: readonly IncomingMessage[]
}

type Answer = (response: ServerResponse) => void

/** `fhir-kafka tail` on a server that answers one request after the other so, and the last way from then on. It is stopped once it has printed `count` lines. */
async function tail(
  t: TestContext,
  args: readonly string[],
  answers: readonly Answer[],
  count = 1,
): Promise<Outcome> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    answers[Math.min(requests.push(request), answers.length) - 1]?.(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir/`
  const stop = new AbortController()
  let [out, err] = ['', '']
  const code = await runCommand(['tail', '--url', url, ...args], {
    env: {},
    isTerminal: false,
    out: (text) => {
      out += text
      if (out.split('\n').length > count) stop.abort()
    },
    err: (text) => (err += text),
    stopped: () => stop.signal,
  })
  return { code, out, err, requests }
}

const entry = {
  number: 1,
  at: '2026-11-25T14:00:00.000Z',
  state: 'delivered',
  destination: 'AidboxTopicDestination/d',
  interaction: 'update',
  resource: 'Patient/a',
  versionId: '3',
  topicUrl: 'http://example.org/topic/patients',
}
const line =
  '2026-11-25T14:00:00.000Z  delivered    AidboxTopicDestination/d  update  Patient/a/_history/3  http://example.org/topic/patients\n'

/** Chunks of an event stream. */
const stream =
  (chunks: readonly (string | Buffer)[], end?: 'end' | 'destroy'): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    const [chunk, ...others] = chunks
    if (chunk !== undefined) response.write(chunk, () => more(response, others, end))
  }

function more(
  response: ServerResponse,
  [chunk, ...others]: readonly (string | Buffer)[],
  end?: 'end' | 'destroy',
): void {
  if (chunk !== undefined) response.write(chunk, () => more(response, others, end))
  else if (end) response[end]()
}

const eventOf = (...entries: object[]): string =>
  `id: node.${entries.length}\nevent: tail\ndata: ${JSON.stringify(entries)}\n\n`

const refusal =
  (status: number, body: string, type = 'application/json'): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': type })
    response.end(body)
  }

describe('fhir-kafka tail', () => {
  it('shows a line for each notification, however the stream is cut', async (t) => {
    const bytes = Buffer.from(eventOf({ ...entry, resource: 'Patient/ä' }).replaceAll('\n', '\r\n'))
    const { code, out, err, requests } = await tail(
      t,
      ['--topic', entry.topicUrl, '--token', 'sesame'],
      [
        stream([
          'retry: 2000\n\n',
          ': \n\n',
          'event: other\ndata: [{"number":9}]\n\n',
          'event: tail\ndata: []\n\n',
          `event: tail\ndata: [\ndata: ${JSON.stringify(entry)}]\n`,
          '\n',
          ...[...bytes].map((byte) => Buffer.from([byte])),
        ]),
      ],
      2,
    )
    assert.deepEqual([code, out], [0, line + line.replace('Patient/a', '"Patient/ä"')])
    assert.match(err, /^Live from http:\/\/127\.0\.0\.1:\d+\/console\. Ctrl-C ends it\.\n$/)
    const [request] = requests
    assert.equal(
      request?.url,
      '/console/api/tail?topic=http%3A%2F%2Fexample.org%2Ftopic%2Fpatients',
    )
    assert.equal(request.headers.authorization, 'Bearer sesame')
  })

  it('prints references only, and nothing that a terminal obeys', async (t) => {
    const hostile = {
      ...entry,
      resource: 'Patient/\u001B]0;x\u0007\u009B2J\n',
      body: { name: 'Doe' },
    }
    const json = await tail(t, ['--json'], [stream([eventOf(hostile)])])
    assert.match(json.out, /^[ -~]+\n$/)
    const { body, ...shown } = hostile
    assert.deepEqual(JSON.parse(json.out), shown)
    assert.equal(body.name, 'Doe')
    const text = await tail(t, [], [stream([eventOf(hostile)])])
    assert.match(text.out, /^[ -~]+\n$/)
    assert.doesNotMatch(text.out, /Doe/)
  })

  it('connects again when the stream breaks or ends, and says so', async (t) => {
    const live = eventOf(entry)
    const { code, out, err, requests } = await tail(
      t,
      [],
      [
        stream([live, 'event: tail\ndata: [{"number"'], 'destroy'),
        refusal(503, '{"error":"The server is stopping."}'),
        stream(['event: gap\ndata: {}\n\n', live], 'end'),
        stream([live]),
      ],
      3,
    )
    assert.deepEqual([code, out, requests.length], [0, line.repeat(3), 4])
    assert.deepEqual(
      requests.map(({ url }) => url),
      ['', '?after=node.1', '?after=node.1', '?after=node.1'].map(
        (after) => `/console/api/tail${after}`,
      ),
    )
    const [first, ...told] = err.trimEnd().split('\n')
    assert.match(first ?? '', /^Live from /)
    assert.match(told[0] ?? '', /^The stream of \S+ has broken off: .*; connecting again\.$/)
    assert.match(
      told[1] ?? '',
      / answered 503: The server is stopping; asking again until it answers\.$/,
    )
    assert.deepEqual(told.slice(2), [
      'The server answers again.',
      'Connected again.',
      'What was sent meanwhile is not shown.',
      'The server has ended the stream; connecting again.',
      'Connected again.',
    ])
  })

  it('goes on without a word when the server wants to know again who listens', async (t) => {
    const end = 'id: node.7\nevent: again\ndata: {}\n\n'
    const again = stream([eventOf(entry), end], 'end')
    const { code, out, err, requests } = await tail(
      t,
      ['--token', 'sesame'],
      [again, again, stream([eventOf(entry)])],
      3,
    )
    assert.deepEqual([code, out, requests.length], [0, line.repeat(3), 3])
    assert.match(err, /^Live from [^\n]*\n$/)
    assert.equal(requests[2]?.headers.authorization, 'Bearer sesame')
    assert.equal(requests[2].url, '/console/api/tail?after=node.7')
    const refused = await tail(t, [], [again, refusal(401, '{"error":"Sign in."}')], 2)
    assert.deepEqual([refused.code, refused.out], [1, line])
    assert.match(refused.err, /answered 401: Sign in\.\n$/)
    const busy = await tail(
      t,
      [],
      [again, refusal(503, '{"error":"Too many."}'), stream([eventOf(entry)])],
      2,
    )
    assert.deepEqual([busy.code, busy.out], [0, line.repeat(2)])
    assert.match(busy.err, /answered 503: Too many; connecting again\.\nConnected again\.\n$/)
  })

  it('ends with 1 where there is no console, nobody answers, or it refuses', async (t) => {
    const none = /^There is no console at http:\/\/127\.0\.0\.1:\d+\/console, /
    for (const [answer, message] of [
      [refusal(404, '{"resourceType":"OperationOutcome"}'), none],
      [refusal(200, '<html>', 'text/html'), none],
      [refusal(401, '{"error":"Sign in to use the console."}'), /answered 401: Sign in/],
      [refusal(502, '<html>', 'text/html'), /answered 502\.\n$/],
      [(response: ServerResponse) => response.destroy(), /cannot be reached: /],
      [stream(['event: tail\ndata: nothing\n\n']), /is not the live tail of a console/],
    ] as const) {
      const { code, err, out } = await tail(t, [], [answer])
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, message)
    }
    const later = await tail(
      t,
      [],
      [stream([eventOf()], 'end'), refusal(401, '{"error":"Sign in."}')],
    )
    assert.equal(later.code, 1)
    assert.match(later.err, /answered 401: Sign in\.\n$/)
    const unknown = await tail(
      t,
      ['--destination', 'AidboxTopicDestination/x y'],
      [refusal(404, '{"error":"There is no such destination."}')],
    )
    assert.equal(unknown.code, 1)
    assert.match(
      unknown.err,
      /\/console\/api\/destinations\/x%20y answered 404: There is no such destination\.\n$/,
    )
    const nonsense = await tail(t, ['--console', 'here'], [refusal(404, '')])
    assert.equal(nonsense.err, '--console here is no URL.\n')
  })
})
