import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Telemetry } from '../../../src/observability/telemetry.ts'
import { Tracing, type SentEvent } from '../../../src/observability/tracing.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('without an SDK of OpenTelemetry', () => {
  it('nothing is made, and events keep the traceparent of the request', async () => {
    const tracing = await Tracing.load()
    assert.ok(tracing)
    assert.equal(tracing.startWrite([{ traceparent }]), undefined)
    const telemetry = new Telemetry('topic_destination')
    telemetry.tracing = tracing
    assert.equal(telemetry.beginWrite([{ traceparent }]).traceparent, undefined)
  })

  it('the events of a page are not even looked at', async () => {
    const tracing = await Tracing.load()
    function* events(): Iterable<SentEvent> {
      yield assert.fail('they were looked at')
    }
    tracing?.recordSent(events())
  })
})
