import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { CommandIo } from '../../../src/cli/command.ts'
import { runCommand } from '../../../src/cli/run-command.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { eventually } from '../postgres/outbox-fixture.ts'
import { serveTopics, type ServedTopics } from '../topic-operations/served-topics.ts'

const { bootstrapServers } = await testKafka()

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Cli extends ServedTopics {
  readonly run: (args: readonly string[], io?: Partial<CommandIo>) => Promise<Outcome>
  /** What the command prints with --json. */
  readonly json: (...args: readonly string[]) => Promise<Record<string, unknown>>
  readonly maxRequestSize: (bytes: number) => Promise<void>
}

/** A server that asks for a token, with a destination that has delivered one event and set another aside. */
async function served(t: TestContext): Promise<Cli> {
  const server = await serveTopics(t, { deliveredRetentionMs: 3_600_000 })
  const kafkaTopic = await newTopic(bootstrapServers)
  const destination = destinationResource(
    'd',
    'kafka-at-least-once',
    'patients',
    kafkaTopic,
    bootstrapServers,
  )
  const maxRequestSize = async (valueInteger: number): Promise<void> => {
    const limit = { name: 'maxRequestSize', valueInteger }
    const parameter = [...(destination['parameter'] as object[]), limit]
    await server.fhir.ok('PUT', '/AidboxTopicDestination/d', { ...destination, parameter })
  }
  const run: Cli['run'] = async (args, more = {}) => {
    let [out, err] = ['', '']
    const code = await runCommand(args, {
      env: { FHIR_URL: server.url },
      isTerminal: false,
      out: (text) => (out += text),
      err: (text) => (err += text),
      ...more,
    })
    return { code, out, err }
  }
  await server.fhir.ok(
    'PUT',
    '/AidboxSubscriptionTopic/patients',
    topicResource('patients', { resource: 'Patient' }),
  )
  await maxRequestSize(5000)
  const patient = { resourceType: 'Patient', id: 'a' }
  await server.fhir.ok('PUT', '/Patient/a', patient)
  const text = {
    status: 'generated',
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${'x'.repeat(9000)}</div>`,
  }
  await server.fhir.ok('PUT', '/Patient/large', { resourceType: 'Patient', id: 'large', text })
  await eventually(async () => {
    const { out } = await run(['status', 'd', '--json'])
    const status = JSON.parse(out) as Record<string, unknown>
    return status['messagesDead'] === 1 && status['messagesDelivered'] === 1
  })
  const json: Cli['json'] = async (...args) => {
    const { code, out, err } = await run([...args, '--json'])
    assert.equal(code, 0, out + err)
    return JSON.parse(out) as Record<string, unknown>
  }
  return { ...server, run, json, maxRequestSize }
}

describe('fhir-kafka against a FHIR server', () => {
  it('lists destinations and says how one does; ends with 2 while one needs somebody', async (t) => {
    const { run } = await served(t)
    const list = await run(['destinations'])
    assert.equal(list.code, 2)
    const [head, row, ...more] = list.out.trimEnd().split('\n')
    assert.match(
      head ?? '',
      /^destination {2}kind {11}state {6}delivered {2}waiting {2}lost {2}dead {2}undecided {2}trouble$/,
    )
    assert.match(
      row ?? '',
      /^d {12}at-least-once {2}attention {2}1 {10}0 {14}1 {5}0 {10}1 dead letter waits for a person; newest error: .*too large/,
    )
    assert.deepEqual(more, [])
    const all = await run(['destinations', '--json'])
    const [listed] = JSON.parse(all.out) as { id: string; status: Record<string, unknown> }[]
    assert.deepEqual([listed?.id, listed?.status['messagesDead']], ['d', 1])
    const status = await run(['status', 'AidboxTopicDestination/d'])
    assert.equal(status.code, 2)
    assert.match(
      status.out,
      /^attention: 1 dead letter waits .*\nmessagesDelivered: 1\n[\s\S]*\nmessagesDead: 1\n/,
    )
  })

  it('lists dead letters, those of a selection alone', async (t) => {
    const { json, run, fhir } = await served(t)
    const page = ['dead-letters', 'd', '--error', 'too large', '--count', '1', '--json']
    const { code, out } = await run(page)
    assert.equal(code, 2)
    const listed = JSON.parse(out) as Record<string, unknown>
    const [event, ...more] = listed['event'] as Record<string, unknown>[]
    assert.deepEqual(more, [])
    assert.deepEqual(event?.['focus'], { reference: 'Patient/large/_history/1' })
    assert.match(String(event['error']), /too large/)
    const eventNumber = String(event['eventNumber'])
    assert.equal(listed['next'], eventNumber)
    assert.deepEqual(await json('dead-letters', 'd', '--after', eventNumber), {})
    assert.deepEqual(await json('dead-letters', 'd', '--of', 'undecided'), {})
    const got = await fhir.ok('GET', '/AidboxTopicDestination/d/$dead-letters')
    assert.match(JSON.stringify(got), /Patient\/large\/_history\/1/)
    const none = await run(['dead-letters', 'd', '--of', 'undecided'])
    assert.equal(none.out, 'Nothing.\n')
    const text = await run(['dead-letters', 'd'])
    assert.equal(text.code, 2)
    assert.match(text.out, /^event:\n {2}- eventNumber: \d+\n/)
  })

  it('watches a destination until it is ended', async (t) => {
    const { run } = await served(t)
    const stop = new AbortController()
    let looks = 0
    const watched = await run(['status', 'd', '--watch', '--interval', '1', '--json'], {
      stopped: () => stop.signal,
      out: (line) => {
        assert.equal((JSON.parse(line) as Record<string, unknown>)['messagesDead'], 1)
        if (++looks === 3) stop.abort()
      },
    })
    assert.deepEqual([watched.code, looks], [2, 3])
  })

  it('redrives after a fix, waits for the end, and shows how far it is on a terminal', async (t) => {
    const { run, json, maxRequestSize } = await served(t)
    const failed = await run(['redrive', 'd', '--all', '--wait', '--json'])
    assert.equal(failed.code, 2)
    await maxRequestSize(1_000_000)
    const { code, out, err } = await run(['redrive', 'd', '--all', '--wait'], { isTerminal: true })
    assert.equal(code, 0)
    assert.match(out, /deadLetters: 1\n[\s\S]*job:\n[\s\S]* {2}state: done\n/)
    assert.match(err, /redrive \d+ \[#{30}\] 1 of 1\n$/)
    assert.deepEqual(await json('discard', 'd', '--all'), { deadLetters: 0, undecided: 0 })
    const status = await json('status', 'd')
    assert.deepEqual([status['messagesDead'], status['messagesDelivered']], [0, 2])
  })

  it('replays, backfills and cancels', async (t) => {
    const { run, json, maxRequestSize } = await served(t)
    await maxRequestSize(1_000_000)
    const replay = await json('replay', 'd', '--from-event', '1', '--to', '2999-01-01', '--wait')
    assert.deepEqual(
      [replay['firstEvent'], replay['lastEvent'], (replay['job'] as { sent: number }).sent],
      [1, 1, 1],
    )
    const backfill = await json('backfill', 'd', '--max-per-second', '500', '--wait')
    assert.equal((backfill['job'] as { sent: number }).sent, 2)
    await json('backfill', 'd', '--max-per-second', '1')
    const cancelled = await json('cancel', 'd')
    const [job] = cancelled['job'] as { kind: string; state: string }[]
    assert.deepEqual([job?.kind, job?.state], ['backfill', 'cancelled'])
    const early = await run(['replay', 'd', '--to', '2000-01-01'])
    assert.equal(early.code, 1)
    assert.match(early.err, /\$replay answered 422: No delivered event of this range is kept\.\n$/)
  })

  it('explains and tries topics, stored ones and those of a file', async (t) => {
    const { json, run } = await served(t)
    const explained = await json('explain', 'patients', '--current', 'Patient/a')
    assert.deepEqual([explained['fires'], explained['interaction']], [true, 'create'])
    const folder = await mkdtemp(join(tmpdir(), 'fhir-commands-'))
    t.after(() => rm(folder, { recursive: true }))
    const file = join(folder, 'topic.json')
    const trigger = { resource: 'Patient', fhirPathCriteria: 'active = true' }
    await writeFile(file, JSON.stringify(topicResource('new', trigger)))
    const text = await run(['explain', 'patients', '--current', 'Patient/a'])
    assert.match(text.out, /^fires: true\n[\s\S]*\ntrigger:\n {2}- fires: true\n/)
    const unclear = join(folder, 'unclear.json')
    const single = { resource: 'Patient', fhirPathCriteria: 'name.family.single() = %current.id' }
    await writeFile(unclear, JSON.stringify(topicResource('unclear', single)))
    const patient = join(folder, 'patient.json')
    const name = [{ family: 'A' }, { family: 'B' }]
    await writeFile(patient, JSON.stringify({ resourceType: 'Patient', id: 'p', name }))
    const undecided = await run(['explain', unclear, '--current', patient])
    assert.equal(undecided.code, 0, undecided.err)
    assert.match(undecided.out, /^fires: undecided\n[\s\S]*\ntrigger:\n {2}- fires: undecided\n/)
    const tried = await json('dry-run', file, '--last', '10', '--samples', '1')
    assert.deepEqual([tried['examined'], tried['fires']], [2, 0])
  })

  it('sends its token, and says what a server, or the lack of one, answers', async (t) => {
    const { run } = await served(t)
    const unknown = await run(['status', 'no-such'])
    assert.equal(unknown.code, 1)
    assert.match(unknown.err, /AidboxTopicDestination\/no-such\/\$status answered 404: /)
    const nowhere = await run(['destinations', '--url', 'http://127.0.0.1:1/fhir'])
    assert.match(nowhere.err, /^http:\/\/127\.0\.0\.1:1\/fhir\/.* cannot be reached: ./)
    const without = await run(['destinations'], { env: {} })
    assert.match(without.err, /^Say where the FHIR server is, with --url/)
    const several = await run(['status', 'a', 'b'])
    assert.match(several.err, /^Give one destination\.\n$/)
    const closed = await serveTopics(t, {}, { authToken: 'open-sesame' })
    const refused = await run(['destinations', '--url', closed.url])
    assert.match(refused.err, /answered 401/)
    const env = { FHIR_URL: closed.url, FHIR_TOKEN: 'open-sesame' }
    for (const token of ['open\nsesame', '']) {
      const unsendable = await run(['destinations', '--url', closed.url, '--token', token])
      assert.equal(unsendable.code, 1)
      assert.match(unsendable.err, /^The token is empty, or has characters that no header can have/)
      assert.doesNotMatch(unsendable.err, /sesame/)
    }
    const open = await run(['destinations'], { env })
    assert.deepEqual(open, { code: 0, out: 'There are no destinations.\n', err: '' })
  })

  it('says when what answers is no FHIR server, or stops in the middle', async (t) => {
    const server = createServer((request, response) => {
      if (request.url?.includes('page') === true) response.end('<html>Log in</html>')
      else response.write('{', () => response.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const [out, err]: [string[], string[]] = [[], []]
    const io: CommandIo = {
      env: {},
      isTerminal: false,
      out: (text) => out.push(text),
      err: (text) => err.push(text),
    }
    assert.equal(await runCommand(['status', 'page', '--url', url], io), 1)
    assert.equal(await runCommand(['status', 'd', '--url', url], io), 1)
    assert.match(err[0] ?? '', /answered 200: This is not FHIR in JSON\.\n$/)
    assert.match(err[1] ?? '', /^http[^\n]* cannot be reached: [^\n]*\n$/)
    assert.deepEqual(out, [])
  })
})
