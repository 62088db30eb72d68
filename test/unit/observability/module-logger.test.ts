import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { logLines } from '../../../src/observability/log-lines.ts'
import { moduleLogger } from '../../../src/observability/module-logger.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'

const destination = 'AidboxTopicDestination/d'
const cause = 'The broker cannot be reached.'
const refused = 'Kafka does not take the events of a destination; will retry'

describe('a line of the log', () => {
  it('has its code, and a warning what to do', () => {
    const lines: LogLine[] = []
    const logger = moduleLogger(recordingLogger(lines))
    logger.info({ destination, epoch: 3 }, 'leading')
    logger.warn({ destination, cause }, refused)
    assert.deepEqual(lines[0]?.fields, { ev: 'topic-destination/leading', destination, epoch: 3 })
    const { ev, action } = lines[1]?.fields ?? {}
    assert.equal(ev, 'topic-destination/kafka-refuses')
    assert.match(String(action), /retries by itself.*docs\/kafka-errors\.md/)
  })

  it('that comes again is written once a minute, with how many were left out', () => {
    const lines: LogLine[] = []
    let nowMs = 0
    const logger = moduleLogger(recordingLogger(lines), {}, () => nowMs)
    for (let n = 0; n < 5; n++) logger.warn({ destination, cause, failures: n }, refused)
    logger.warn({ destination, cause: 'another' }, refused)
    logger.warn({ destination: 'AidboxTopicDestination/e', cause }, refused)
    assert.equal(lines.length, 3)
    nowMs = 60_000
    logger.warn({ destination, cause }, refused)
    assert.equal(lines.at(-1)?.fields['repeated'], 4)
    assert.equal(lines[0]?.fields['repeated'], undefined)
  })

  it('that must not be missed is written each time', () => {
    const lines: LogLine[] = []
    const logger = moduleLogger(recordingLogger(lines))
    for (let n = 0; n < 3; n++) logger.error({ requestId: n }, 'a request failed unexpectedly')
    for (let n = 0; n < 3; n++) logger.info({ destination }, 'leading')
    assert.equal(lines.length, 6)
  })

  it('is left out below the level of its destination; the delivery log never is', () => {
    const lines: LogLine[] = []
    const logger = moduleLogger(recordingLogger(lines), {
      '*': 'warn',
      'AidboxTopicDestination/loud': 'debug',
      'AidboxTopicDestination/mute': 'silent',
    })
    for (const id of ['d', 'loud', 'mute']) {
      const about = { destination: `AidboxTopicDestination/${id}` }
      logger.info(about, 'leading')
      logger.error(about, 'a destination cannot be used')
    }
    logger.info({}, 'undecided events were decided')
    logger.trace({ ev: 'topic-destination/status' }, 'delivered')
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields['destination']]),
      [
        ['error', 'AidboxTopicDestination/d'],
        ['info', 'AidboxTopicDestination/loud'],
        ['error', 'AidboxTopicDestination/loud'],
        ['info', undefined],
        ['trace', undefined],
      ],
    )
    assert.deepEqual(lines.at(-1)?.fields, { ev: 'topic-destination/status' })
  })
})

interface Call {
  readonly level: string
  readonly message: string
  readonly file: string
}

/** Calls of loggers in a source text: each sentence that a call can write. */
function callsOf(source: string, file: string): Call[] {
  const calls: Call[] = []
  for (const match of source.matchAll(/\b(?:logger|Logger|lines)(?:\.(\w+)|\[(\w+)\])\(/g)) {
    const [head, method, computed] = match
    if (method !== undefined && !['trace', 'debug', 'info', 'warn', 'error'].includes(method))
      continue
    const last = lastArgument(source, match.index + head.length)
    for (const [, single, double] of last.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)) {
      const level = method ?? (computed === 'logLevel' ? 'destination' : '')
      calls.push({ level, message: single ?? double ?? '', file })
    }
  }
  return calls
}

/** Text of the last argument of the call whose arguments begin at `start`. */
function lastArgument(source: string, start: number): string {
  let depth = 1
  let begin = start
  let last = ''
  for (let at = start; depth > 0 && at < source.length; at++) {
    const letter = source[at] ?? ''
    if (letter === "'" || letter === '"' || letter === '`') {
      at = source.indexOf(letter, at + 1)
      continue
    }
    if ('([{'.includes(letter)) depth++
    else if (')]}'.includes(letter)) depth--
    if (depth === 0 || (depth === 1 && letter === ',')) {
      const argument = source.slice(begin, at).trim()
      if (argument !== '') last = argument
      begin = at + 1
    }
  }
  return last
}

describe('the table of log lines', () => {
  it('has every line that the code writes, at its level, and no other', async () => {
    const root = fileURLToPath(new URL('../../../src', import.meta.url))
    const files = (await readdir(root, { recursive: true })).filter(
      (file) => file.endsWith('.ts') && !file.startsWith(join('observability', 'module-logger')),
    )
    const calls: Call[] = []
    for (const file of files) calls.push(...callsOf(await readFile(join(root, file), 'utf8'), file))
    assert.ok(calls.length > 50, 'the calls are found')
    const byMessage = new Map(Object.values(logLines).map((line) => [line.message, line]))
    for (const { level, message, file } of calls) {
      assert.equal(byMessage.get(message)?.level, level, `${file}: ${message}`)
    }
    const written = new Set(calls.map(({ message }) => message))
    for (const { message } of byMessage.values()) assert.ok(written.has(message), message)
  })

  it('has each sentence once', () => {
    const messages = Object.values(logLines).map(({ message }) => message)
    assert.equal(new Set(messages).size, messages.length)
  })
})
