/** The entry of `npm start` with an SDK of OpenTelemetry and a listener on every channel: writes a line `span: {…}` for each span that ends, and
 *  `channel: {…}` for each message, to standard error. */
import { subscribe } from 'node:diagnostics_channel'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { channelTable } from '../../src/observability/channel-table.ts'
import { plainSpan } from '../helpers/spans.ts'

const exporter = {
  export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    for (const span of spans) process.stderr.write(`span: ${JSON.stringify(plainSpan(span))}\n`)
    done({ code: 0 })
  },
  shutdown: () => Promise.resolve(),
}
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
)
for (const { name } of Object.values(channelTable)) {
  subscribe(name, (message) => {
    process.stderr.write(`channel: ${JSON.stringify({ name, message })}\n`)
  })
}
await import('../../src/server/main.ts')
