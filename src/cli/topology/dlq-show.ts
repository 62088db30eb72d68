import { isUtf8 } from 'node:buffer'
import type { DeadLetter } from '../../retry/index.ts'
import { exitCodes, type Command } from '../command.ts'
import { printable } from '../printable.ts'
import { withProgress } from '../progress.ts'
import {
  deadLetterCall,
  deadLetterOptions,
  selectionOf,
  selectionOptions,
} from './dead-letter-call.ts'
import { json } from './topology-file.ts'

const defaultLimit = 20

interface ShownLetter {
  readonly partition: number
  readonly offset: number
  /** Of the retries; with the payload also those of the producer. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly key?: string | null
  readonly value?: string | null
}

export const dlqShowCommand: Command = {
  name: 'topology dlq show',
  summary:
    'Shows where dead letters come from, how often they were tried, and what they failed with.',
  parameters: 'FILE TOPIC',
  options: {
    ...deadLetterOptions,
    ...selectionOptions,
    limit: {
      type: 'string',
      value: 'NUMBER',
      doc: `Most dead letters. Default ${defaultLimit}.`,
    },
    payload: {
      type: 'boolean',
      doc: 'Also key, value and the headers of the producer, which may be about persons.',
    },
  },
  run: async (call) => {
    const { io, options } = call
    const { retry, topology, topic, connection } = await deadLetterCall(call)
    const letters = await withProgress(io, (tell) =>
      retry.readDeadLetters(topology, topic, {
        connection,
        limit: defaultLimit,
        ...selectionOf(options),
        onProgress: (done, total) => {
          tell(done, total, 'records')
        },
      }),
    )
    const isOfRetry = (name: string): boolean => Object.hasOwn(retry.retryHeaders, name)
    const shown = letters.map((letter) => shownLetter(letter, options.flag('payload'), isOfRetry))
    if (options.flag('json')) io.out(json(shown))
    else if (shown.length === 0) io.out('Nothing.\n')
    else for (const letter of shown) io.out(textOf(letter))
    return exitCodes.inLine
  },
}

function shownLetter(
  { partition, offset, headers, key, value }: DeadLetter,
  withPayload: boolean,
  isOfRetry: (name: string) => boolean,
): ShownLetter {
  return {
    partition,
    offset,
    headers: headers
      .filter(([name]) => withPayload || isOfRetry(name))
      .map(([name, one]) => [name, shownBytes(one) ?? '']),
    ...(withPayload ? { key: shownBytes(key), value: shownBytes(value) } : {}),
  }
}

/** What is not text, in Base64. */
function shownBytes(bytes: Buffer | null): string | null {
  if (bytes === null || isUtf8(bytes)) return bytes?.toString() ?? null
  return `base64:${bytes.toString('base64')}`
}

function textOf({ partition, offset, headers, key, value }: ShownLetter): string {
  const payload =
    key === undefined ? [] : [['key', key] as const, ['value', value ?? null] as const]
  const lines = [...headers, ...payload].map(
    ([name, one]) => `  ${printable(name)}: ${one === null ? 'null' : printable(one)}\n`,
  )
  return `partition ${partition} offset ${offset}\n${lines.join('')}`
}
