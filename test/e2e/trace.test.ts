import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { before, describe, it } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { kafkaTopicDestination } from '../../src/module.ts'
import { spanTable, type SpanKey } from '../../src/observability/span-table.ts'
import { createServer } from '../../src/server/create-server.ts'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, newTopic, privateKafka, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import { plainSpan, type PlainSpan } from '../helpers/spans.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const observedServer = fileURLToPath(new URL('observed-server.ts', import.meta.url))
const requestSpanId = 'b7ad6b7169203331'
const traceparentOf = (traceId: string, flags: '00' | '01'): string =>
  `00-${traceId}-${requestSpanId}-${flags}`
const sampled = ['0af7651916cd43dd8448eb211c80319c', '1bf7651916cd43dd8448eb211c80319d'] as const
const unsampled = '2cf7651916cd43dd8448eb211c80319e'

/** The spans of one trace by their place in the table. */
function byKey(spans: readonly PlainSpan[], traceId: string): Map<SpanKey, PlainSpan[]> {
  const found = new Map<SpanKey, PlainSpan[]>()
  for (const span of spans) {
    if (span.traceId !== traceId) continue
    const key = (Object.keys(spanTable) as SpanKey[]).find((one) => {
      const { name } = spanTable[one]
      return one === 'send' ? span.name.startsWith(`${name} `) : span.name === name
    })
    assert.ok(key, span.name)
    found.set(key, [...(found.get(key) ?? []), span])
  }
  return found
}

describe('a trace', () => {
  const exporter = new InMemorySpanExporter()
  before(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    )
  })

  it('goes from the write to Kafka, though the process that wrote and relayed is killed in between', async (t) => {
    const { connectionString: databaseUrl } = await testDatabase(t)
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    await createTopic(bootstrapServers, 'traced')
    const told: string[] = []
    const first = await startServerProcess(
      { DATABASE_URL: databaseUrl, KAFKA_BOOTSTRAP_SERVERS: bootstrapServers, LOG_LEVEL: 'debug' },
      observedServer,
      (line) => told.push(line),
    )
    t.after(() => first.kill())
    const writer = new FhirClient(first.url)
    await writer.put(topicResource('traced', { resource: 'Patient' }))
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      await writer.put(destinationResource(kind, kind, 'traced', 'traced', bootstrapServers))
    }
    // From here on the relay of this process gets no answer.
    broker.pause()
    const put = async (id: string, traceparent: string): Promise<void> => {
      await writer.put({ resourceType: 'Patient', id }, { traceparent })
    }
    await put('a', traceparentOf(sampled[0], '01'))
    await put('b', traceparentOf(sampled[1], '01'))
    await put('c', traceparentOf(unsampled, '00'))
    await first.kill()
    broker.resume()

    const server = await createServer({ databaseUrl })
    t.after(() => server.close())
    const baseUrl = first.url
    server.load(kafkaTopicDestination({ database: databaseUrl, baseUrl, stopTimeoutMs: 1000 }))
    const reader = new FhirClient(await server.listen())
    await reader.untilStatus(
      'kafka-at-least-once',
      ({ count }) => count('messagesDelivered') === 3 && count('messagesQueued') === 0,
    )

    const ofWriter = told.flatMap((line) =>
      line.startsWith('span: ') ? [JSON.parse(line.slice(6)) as PlainSpan] : [],
    )
    const ofReader = exporter.getFinishedSpans().map(plainSpan)
    const records = await consumeRecords(bootstrapServers, 'traced', 3)
    for (const [index, traceId] of sampled.entries()) {
      const written = byKey(ofWriter, traceId)
      const relayed = byKey(ofReader, traceId)
      assert.deepEqual([...written.keys()].toSorted(), ['enqueue', 'match', 'write'])
      assert.deepEqual([...relayed.keys()].toSorted(), ['relay', 'send'])
      const [write] = written.get('write') ?? []
      const [relay] = relayed.get('relay') ?? []
      const [send] = relayed.get('send') ?? []
      assert.ok(write && relay && send)
      assert.equal(write.parentId, requestSpanId)
      assert.equal(write.attributes['fhir_topic_destination.committed'], true)
      for (const key of ['match', 'enqueue'] as const) {
        assert.equal(written.get(key)?.[0]?.parentId, write.spanId, key)
      }
      assert.equal(relay.parentId, write.spanId)
      assert.equal(send.parentId, relay.spanId)
      assert.equal(send.name, 'send traced')
      assert.equal(send.attributes['messaging.destination.name'], 'traced')
      for (const span of [relay, send]) {
        assert.equal(span.attributes['fhir_topic_destination.event_number'], index + 1)
      }
      const header = records.find(({ key }) => key === 'ab'[index])?.headers['traceparent']
      assert.equal(header, `00-${traceId}-${write.spanId}-01`)
    }
    assert.deepEqual(byKey([...ofWriter, ...ofReader], unsampled).size, 0)
    const header = records.find(({ key }) => key === 'c')?.headers['traceparent']
    assert.equal(header, traceparentOf(unsampled, '00'))
    for (const span of [...ofWriter, ...ofReader]) {
      const key = [...byKey([span], span.traceId).keys()][0]
      assert.ok(key)
      for (const attribute of Object.keys(span.attributes)) {
        assert.ok(spanTable[key].attributes.includes(attribute), `${span.name}: ${attribute}`)
      }
    }
  })

  it('of best effort has the record as child of the write; a transaction that fails has none of them', async (t) => {
    exporter.reset()
    const { connectionString: databaseUrl } = await testDatabase(t)
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers)
    const server = await createServer({ databaseUrl })
    t.after(() => server.close())
    const options = { database: databaseUrl, baseUrl: server.url, stopTimeoutMs: 1000 }
    server.load(kafkaTopicDestination(options))
    const fhir = new FhirClient(await server.listen())
    await fhir.put(topicResource('traced', { resource: 'Patient' }))
    const kind = 'kafka-best-effort'
    await fhir.put(destinationResource(kind, kind, 'traced', kafkaTopic, bootstrapServers))
    const traceparent = traceparentOf(sampled[0], '01')
    await fhir.put({ resourceType: 'Patient', id: 'a' }, { traceparent })
    await fhir.untilStatus(kind, ({ count }) => count('messagesDelivered') === 1)
    const spans = byKey(exporter.getFinishedSpans().map(plainSpan), sampled[0])
    assert.deepEqual([...spans.keys()].toSorted(), ['match', 'send', 'write'])
    assert.equal(spans.get('send')?.[0]?.parentId, spans.get('write')?.[0]?.spanId)

    const refused = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        {
          resource: { resourceType: 'Patient', id: 'z' },
          request: { method: 'PUT', url: 'Patient/z' },
        },
        { request: { method: 'DELETE', url: 'AidboxTopicDestination/missing' } },
      ],
    }
    const headers = { traceparent: traceparentOf(sampled[1], '01') }
    const { status } = await fhir.request('POST', '', refused, headers)
    assert.ok(status >= 400, String(status))
    assert.equal(byKey(exporter.getFinishedSpans().map(plainSpan), sampled[1]).size, 0)
  })
})
