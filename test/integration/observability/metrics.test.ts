import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { before, describe, it, type TestContext } from 'node:test'
import { channelTable } from '../../../src/observability/channel-table.ts'
import type { Status } from '../../helpers/fhir-client.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { ofDestination, scrape, untilScrape, type Scrape } from '../../helpers/scrape.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { startObservedServer, type ObservedServer } from './observed-server.ts'

type Kind = 'kafka-at-least-once' | 'kafka-best-effort'

/** Metric by parameter of $status. */
const told: Readonly<Record<Kind, Readonly<Record<string, string>>>> = {
  'kafka-at-least-once': {
    messagesDelivered: 'events_delivered_total',
    messagesDeliveryAttempts: 'failed_attempts_total',
    messagesInProcess: 'events_in_process',
    messagesQueued: 'events_queued',
    messagesDead: 'events_dead',
    messagesUndecided: 'events_undecided',
    messagesNotKept: 'events_not_kept_total',
    messagesNotFired: 'events_not_fired_total',
    messagesDiscarded: 'events_discarded_total',
  },
  'kafka-best-effort': {
    messagesDelivered: 'events_delivered_total',
    messagesInProcess: 'events_in_process',
    messagesLost: 'events_lost_total',
  },
}

function isTold(series: Scrape, id: string, kind: Kind, status: Status): boolean {
  const state = ofDestination('state', id, kind, `,state="${status.state ?? ''}"`)
  return (
    series.get(state) === 1 &&
    Object.entries(told[kind]).every(
      ([parameter, metric]) =>
        series.get(ofDestination(metric, id, kind)) === status.count(parameter),
    )
  )
}

async function putDestination(
  { fhir, bootstrapServers }: ObservedServer,
  id: string,
  kind: Kind,
  topic: string,
  parameters: readonly object[] = [],
): Promise<void> {
  const kafkaTopic = await newTopic(bootstrapServers)
  const made = destinationResource(id, kind, topic, kafkaTopic, bootstrapServers)
  const all = [...(made['parameter'] as object[]), ...parameters]
  await fhir.put({ ...made, parameter: all })
}

async function putPatients({ fhir }: ObservedServer, count: number, more = {}): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await fhir.put({ resourceType: 'Patient', id: `p${n}`, active: n % 2 === 0, ...more })
  }
}

describe('/metrics', () => {
  before(async () => {
    await testKafka()
  })

  it('tells what $status tells of every destination, once the queue is empty', async (t) => {
    const server = await startObservedServer(t)
    const { fhir, url } = server
    await fhir.put(topicResource('patients', { resource: 'Patient' }))
    // Fails on a patient with two names.
    const fhirPathCriteria = "name.family > 'M'"
    await fhir.put(topicResource('undecidable', { resource: 'Patient', fhirPathCriteria }))
    const kinds = ['kafka-at-least-once', 'kafka-best-effort'] as const
    for (const kind of kinds) {
      await putDestination(server, `all-${kind}`, kind, 'patients')
      await putDestination(server, `small-${kind}`, kind, 'patients', [
        { name: 'maxRequestSize', valueInteger: 2000 },
      ])
      await putDestination(server, `undecidable-${kind}`, kind, 'undecidable')
    }
    await putPatients(server, 12)
    await putPatients(server, 2, { name: [{ family: 'N'.repeat(1500) }, { family: 'O' }] })
    const isDone: Readonly<Record<string, (status: Status) => boolean>> = {
      'all-kafka-at-least-once': ({ count }) => count('messagesDelivered') === 14,
      'all-kafka-best-effort': ({ count }) => count('messagesDelivered') === 14,
      'small-kafka-at-least-once': ({ count }) =>
        count('messagesDelivered') === 12 && count('messagesDead') === 2,
      'small-kafka-best-effort': ({ count }) =>
        count('messagesDelivered') === 12 && count('messagesLost') === 2,
      'undecidable-kafka-at-least-once': ({ count }) => count('messagesUndecided') === 2,
      'undecidable-kafka-best-effort': ({ count }) => count('messagesLost') === 2,
    }
    for (const [id, isReached] of Object.entries(isDone)) {
      const status = await fhir.untilStatus(
        id,
        (now) => isReached(now) && !(now.count('messagesQueued') + now.count('messagesInProcess')),
      )
      const kind = id.endsWith('best-effort') ? 'kafka-best-effort' : 'kafka-at-least-once'
      await untilScrape(url, (series) => isTold(series, id, kind, status))
    }
    const series = await scrape(url)
    for (const kind of kinds) {
      const latency = ofDestination('delivery_duration_seconds_count', `all-${kind}`, kind)
      assert.equal(series.get(latency), 14)
    }
    assert.equal(series.get('match_duration_seconds_count'), 14 + 8)
    assert.equal(series.get('events_enqueued_total'), 14)
    assert.ok((series.get('produce_duration_seconds_count') ?? 0) > 0)
    for (const id of ['all', 'small', 'undecidable']) {
      assert.equal(series.get(ofDestination('leader', `${id}-kafka-at-least-once`)), 1)
      const age = ofDestination('oldest_queued_event_age_seconds', `${id}-kafka-at-least-once`)
      assert.equal(series.get(age), 0)
    }
    assert.equal(series.get('collect_failures_total'), 0)
  })

  it('tells of a queue how long it is and how old, and nothing of a destination that is gone', async (t) => {
    const server = await startObservedServer(t)
    const { fhir, url, bootstrapServers } = server
    await fhir.put(topicResource('patients', { resource: 'Patient' }))
    const off = { status: 'off' }
    const kind = 'kafka-at-least-once'
    const made = destinationResource('d', kind, 'patients', 'never', bootstrapServers, off)
    await fhir.put(made)
    await putPatients(server, 3)
    const age = ofDestination('oldest_queued_event_age_seconds', 'd')
    const isWaiting = (series: Scrape) =>
      series.get(ofDestination('events_queued', 'd')) === 3 && (series.get(age) ?? 0) > 0
    const first = await untilScrape(url, isWaiting)
    const second = await untilScrape(
      url,
      (series) => (series.get(age) ?? 0) > (first.get(age) ?? 0),
    )
    assert.equal(second.get(ofDestination('state', 'd', kind, ',state="off"')), 1)
    assert.equal(second.get('lanes{state="off"}'), 1)
    await fhir.ok('DELETE', '/AidboxTopicDestination/d')
    const gone = await untilScrape(url, (series) => !series.has(age))
    assert.deepEqual(
      [...gone.keys()].filter((name) => name.includes('"d"')),
      [],
    )
  })

  it('tells of a job what $status tells of it, while it runs and when it has ended', async (t) => {
    const server = await startObservedServer(t)
    const { fhir, url } = server
    const kind = 'kafka-at-least-once'
    const fhirPathCriteria = '%current.active = true'
    await fhir.put(topicResource('active', { resource: 'Patient', fhirPathCriteria }))
    await putPatients(server, 9)
    await putDestination(server, 'd', kind, 'active')
    const backfill = (maxPerSecond: number): Promise<unknown> =>
      fhir.ok('POST', '/AidboxTopicDestination/d/$backfill', {
        resourceType: 'Parameters',
        parameter: [{ name: 'maxPerSecond', valueInteger: maxPerSecond }],
      })
    const inState = (state: string): string =>
      ofDestination('job_state', 'd', kind, `,operation="backfill",state="${state}"`)
    const events = (result: string): string =>
      ofDestination('job_events', 'd', kind, `,operation="backfill",result="${result}"`)
    assert.ok(![...(await scrape(url)).keys()].some((name) => name.startsWith('job_')))
    await backfill(1)
    await untilScrape(url, (series) => series.get(inState('running')) === 1)
    await fhir.ok('POST', '/AidboxTopicDestination/d/$cancel', { resourceType: 'Parameters' })
    await untilScrape(url, (series) => series.get(inState('cancelled')) === 1)
    await backfill(1000)
    const series = await untilScrape(url, (now) => now.get(inState('done')) === 1)
    assert.deepEqual(
      ['sent', 'failed', 'passed_over'].map((result) => series.get(events(result))),
      [4, 0, 5],
    )
    assert.ok(!series.has(inState('running')) && !series.has(inState('cancelled')))
  })

  it('is the same on every node where it is of the cluster, and adds up where it is of a node', async (t) => {
    const one = await startObservedServer(t)
    const other = await startObservedServer(t, { databaseUrl: one.databaseUrl })
    await one.fhir.put(topicResource('patients', { resource: 'Patient' }))
    const ids = ['a', 'b', 'c', 'd']
    const kind = 'kafka-at-least-once'
    for (const id of ids) await putDestination(one, id, kind, 'patients')
    await putPatients(one, 3)
    await putPatients(other, 2, { gender: 'other' })
    const isDelivered = (series: Scrape) =>
      ids.every((id) => series.get(ofDestination('events_delivered_total', id)) === 5)
    for (const { url } of [one, other]) await untilScrape(url, isDelivered)
    const sum = async (name: string): Promise<number> => {
      const found = await Promise.all([one, other].map(async ({ url }) => scrape(url)))
      return found.reduce((total, series) => total + (series.get(name) ?? 0), 0)
    }
    assert.equal(await sum('events_enqueued_total'), 5)
    for (const id of ids) {
      // The nodes may just share them out anew.
      for (
        const deadlineMs = Date.now() + 30_000;
        (await sum(ofDestination('leader', id))) !== 1;
      ) {
        assert.ok(Date.now() < deadlineMs, `leaders of ${id}`)
      }
      assert.equal(await sum(ofDestination('delivery_duration_seconds_count', id)), 5)
    }
  })

  it('is for who may call the FHIR service, and for who has its own token', async (t) => {
    const server = await startObservedServer(t, {
      server: { authToken: 'sesame', basicAuth: 'user:pass', metricsToken: 'scraper' },
    })
    const ask = async (authorization?: string, path = '/metrics'): Promise<Response> =>
      fetch(new URL(path, server.url), {
        headers: authorization === undefined ? {} : { authorization },
      })
    const basic = `Basic ${Buffer.from('user:pass').toString('base64')}`
    for (const authorization of ['Bearer sesame', basic, 'Bearer scraper', 'bearer  scraper']) {
      const answer = await ask(authorization)
      assert.equal(answer.status, 200, authorization)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
      assert.match(await answer.text(), /^fhir_topic_destination_registry_age_seconds /m)
    }
    for (const authorization of [
      undefined,
      'Bearer scrape',
      'Bearer',
      'Basic scraper',
      'scraper',
    ]) {
      const answer = await ask(authorization)
      assert.equal(answer.status, 401, authorization)
      assert.match(answer.headers.get('www-authenticate') ?? '', /Bearer/)
      assert.doesNotMatch(await answer.text(), /fhir_topic_destination/)
    }
    assert.equal((await ask('Bearer scraper', '/fhir/Patient')).status, 401)
    const posted = await fetch(new URL('/metrics', server.url), { method: 'POST' })
    assert.equal(posted.status, 405)
  })

  it('is not opened by a token without a letter', async (t) => {
    const { url } = await startObservedServer(t, {
      server: { authToken: 'sesame', metricsToken: '' },
    })
    for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Basic x' }]) {
      assert.equal((await fetch(new URL('/metrics', url), { headers })).status, 401)
    }
  })
})

describe('the channels of node:diagnostics_channel', () => {
  /** Every message of every channel, from now until the test ends. */
  function listen(t: TestContext): Map<string, Record<string, unknown>[]> {
    const heard = new Map<string, Record<string, unknown>[]>()
    for (const { name } of Object.values(channelTable)) {
      const messages: Record<string, unknown>[] = []
      heard.set(name, messages)
      const note = (message: unknown): void => {
        messages.push(message as Record<string, unknown>)
      }
      subscribe(name, note)
      t.after(() => unsubscribe(name, note))
    }
    return heard
  }

  it('have the documented fields, and no content', async (t) => {
    const heard = listen(t)
    const schema = 'told'
    const server = await startObservedServer(t, { module: { schema } })
    const { fhir } = server
    await fhir.put(topicResource('patients', { resource: 'Patient' }))
    const small = [{ name: 'maxRequestSize', valueInteger: 2000 }]
    await putDestination(server, 'alo', 'kafka-at-least-once', 'patients', small)
    await putDestination(server, 'be', 'kafka-best-effort', 'patients', small)
    await fhir.put(
      destinationResource('dead', 'kafka-at-least-once', 'patients', 'never', '127.0.0.1:1', {
        parameter: [
          { name: 'kafkaTopic', valueString: 'never' },
          { name: 'bootstrapServers', valueString: '127.0.0.1:1' },
          { name: 'maxBlockMs', valueInteger: 1000 },
        ],
      }),
    )
    await putPatients(server, 3)
    await putPatients(server, 1, { name: [{ family: 'canary'.repeat(300) }] })
    await fhir.untilStatus('alo', ({ count }) => count('messagesDead') === 1)
    await fhir.untilStatus('be', ({ count }) => count('messagesLost') === 1)
    await fhir.untilStatus('dead', ({ count }) => count('messagesDeliveryAttempts') > 0)
    await fhir.ok('DELETE', '/AidboxTopicDestination/dead')
    // Undecided events are decided again in tests of their own.
    const silent = new Set(['decided'])
    for (const [key, { name, fields }] of Object.entries(channelTable)) {
      const messages = heard.get(name) ?? []
      if (!silent.has(key)) assert.ok(messages.length > 0, name)
      for (const message of messages) {
        assert.deepEqual(
          Object.keys(message).toSorted(),
          ['schema', ...Object.keys(fields)].toSorted(),
        )
        assert.equal(message['schema'], schema)
        for (const value of Object.values(message)) {
          assert.ok(value === undefined || ['string', 'number', 'boolean'].includes(typeof value))
        }
      }
    }
    const all = JSON.stringify([...heard])
    assert.doesNotMatch(all, /canary|Patient\/p|"p[1-4]"/)
    const [page] = heard.get('fhir-topic-destination:page') ?? []
    assert.ok(page)
    assert.equal(page['destination'], 'AidboxTopicDestination/alo')
    assert.equal(page['firstEventNumber'], 1)
  })
})
