import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { json, parameters, run, type Answer } from './answering-server.ts'

const outcome = (text: string): object => ({
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'transient', details: { text } }],
})
const status = json(parameters({ name: 'status', valueString: 'active' }))
const broken: Answer = (response) => response.destroy()

const job = (state: string, { id = 4, error }: { id?: number; error?: string } = {}): object => ({
  name: 'job',
  part: [
    { name: 'id', valueInteger: id },
    { name: 'kind', valueCode: 'replay' },
    { name: 'state', valueCode: state },
    { name: 'total', valueInteger: 10 },
    { name: 'sent', valueInteger: state === 'done' ? 10 : 3 },
    { name: 'failed', valueInteger: 0 },
    ...(error === undefined ? [] : [{ name: 'error', valueString: error }]),
  ],
})
const replay = ['replay', 'd', '--all', '--wait']

describe('a server that goes away while it is watched', () => {
  it('is asked again until it answers, which is told once', async (t) => {
    const stop = new AbortController()
    let looks = 0
    const { code, err, requests } = await run(
      t,
      ['status', 'd', '--watch', '--json'],
      [status, broken, json(outcome('starting'), 503), json(outcome('busy'), 429), status],
      {
        stopped: () => stop.signal,
        out: (line) => {
          assert.deepEqual(JSON.parse(line), { status: 'active' })
          if (++looks === 2) stop.abort()
        },
      },
    )
    assert.deepEqual([code, looks, requests], [0, 2, 5])
    assert.match(
      err,
      /^http:\S+ cannot be reached: [^\n]*; asking again until it answers\.\nThe server answers again\.\n$/,
    )
  })

  it('ends the command when it refuses, or does not answer the first time', async (t) => {
    const gone = await run(
      t,
      ['status', 'd', '--watch'],
      [status, json(outcome('There is no \u001B[2Jd.'), 404)],
    )
    assert.deepEqual([gone.code, gone.requests], [1, 2])
    assert.match(gone.err, /^GET \S+ answered 404: "There is no \\u001b\[2Jd\."\n$/)
    const never = await run(t, ['status', 'd', '--watch'], [json(outcome('starting'), 503)])
    assert.deepEqual([never.code, never.requests], [1, 1])
  })

  it('does not end the wait for a job, whose progress a terminal shows', async (t) => {
    const answers = [
      json(parameters(job('running'))),
      json(outcome('starting'), 503),
      json(parameters(job('running'))),
      json(parameters(job('done'))),
    ]
    const { code, out, err } = await run(t, replay, answers, { isTerminal: true })
    assert.equal(code, 0)
    assert.match(out, /state: done\n/)
    // eslint-disable-next-line no-control-regex
    const lines = err.split(/\r\u001B\[K|\n/).filter(Boolean)
    assert.match(lines[1] ?? '', /answered 503: starting; asking again until it answers\.$/)
    assert.deepEqual(lines.toSpliced(1, 1), [
      `replay 4 [${'#'.repeat(9).padEnd(30)}] 3 of 10`,
      'The server answers again.',
      `replay 4 [${'#'.repeat(9).padEnd(30)}] 3 of 10`,
      `replay 4 [${'#'.repeat(30)}] 10 of 10`,
    ])
    const piped = await run(t, replay, answers)
    assert.match(piped.err, /^GET [^\n]* asking again[^\n]*\nThe server answers again\.\n$/)
    const refused = await run(t, replay, [
      json(parameters(job('running'))),
      json(outcome('no'), 403),
    ])
    assert.deepEqual([refused.code, refused.out], [1, ''])
  })

  it('says why a job waits, each reason once', async (t) => {
    const off = { name: 'status', valueString: 'off' }
    const waiting = job('running', { error: 'The host does not answer.' })
    const { code, err } = await run(t, replay, [
      json(parameters(job('running'))),
      json(parameters(off, job('running'))),
      json(parameters(off, job('running'))),
      json(parameters(waiting)),
      json(parameters(waiting)),
      json(parameters(job('done'))),
    ])
    assert.equal(code, 0)
    assert.equal(
      err,
      'The destination is off; the job goes on when it is active again.\nThe job tells: The host does not answer.\n',
    )
  })

  it('says that it cannot tell how a job ended when another one has begun', async (t) => {
    const { code, out, err } = await run(t, replay, [
      json(parameters(job('running'))),
      json(parameters(job('running', { id: 5 }))),
    ])
    assert.equal(code, 1)
    assert.match(out, /^job:\n {2}id: 4\n/)
    assert.match(
      err,
      /^Another replay of d has begun; how replay 4 ended is not told any more\.\n$/,
    )
  })

  it('leaves out a destination that was deleted after it was listed', async (t) => {
    const entry = ['gone', 'there'].map((id) => ({
      resource: {
        resourceType: 'AidboxTopicDestination',
        id,
        kind: 'kafka-best-effort',
        topic: 't',
      },
    }))
    const { code, out } = await run(
      t,
      ['destinations', '--json'],
      [
        json({ resourceType: 'Bundle', type: 'searchset', entry }),
        json(outcome('There is none.'), 404),
        json(outcome('There is none.'), 404),
        status,
      ],
    )
    assert.equal(code, 0)
    assert.deepEqual(
      (JSON.parse(out) as { id: string }[]).map(({ id }) => id),
      ['there'],
    )
  })

  it('is not taken for one whose destinations are gone when it has no $status', async (t) => {
    const resource = { resourceType: 'AidboxTopicDestination', id: 'd', kind: 'k', topic: 't' }
    const { code, out, err } = await run(
      t,
      ['destinations'],
      [
        json({ resourceType: 'Bundle', type: 'searchset', entry: [{ resource }] }),
        json(outcome('There is no such operation.'), 404),
        json(resource),
      ],
    )
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /\$status answered 404: There is no such operation/)
  })

  it('is not asked without a pause', async (t) => {
    for (const interval of ['0', '86401', '-1', '1.5', '']) {
      const refused = await run(t, ['status', 'd', '--watch', `--interval=${interval}`], [status])
      assert.deepEqual(
        [refused.code, refused.err, refused.requests],
        [1, 'Write --interval as a whole number from 1 to 86400.\n', 0],
      )
    }
  })
})
