#!/usr/bin/env node
import { endProcess, endProcessWhenIdle } from '../kafka/end-process.ts'
import { runCommand } from './run-command.ts'
import { serveCommand } from './serve.ts'

/** A resolver that does not answer holds the end of a client for half a minute, and the exit code would be lost. */
const endTimeoutMs = 35_000

const stop = new AbortController()
const streams = [process.stdout, process.stderr] as const
for (const stream of streams) {
  // Who reads has seen enough: `fhir-kafka tail | head`.
  stream.on('error', () => {
    stop.abort()
  })
}

const exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  isTerminal: process.stderr.isTTY,
  out: (text) => {
    process.stdout.write(text)
  },
  err: (text) => {
    process.stderr.write(text)
  },
  stopped: () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        stop.abort()
      })
    }
    return stop.signal
  },
})
// A pipe takes what it is given piece by piece.
await Promise.all(
  streams.map((stream) => new Promise<unknown>((resolve) => stream.write('', resolve))),
)
// Who stops a server does not wait for so long.
if (process.argv[2] === serveCommand.name) endProcess(exitCode)
else await endProcessWhenIdle(exitCode, endTimeoutMs)
