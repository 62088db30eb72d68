import { kafkaCauses } from '../kafka-causes.ts'
import type { CauseRow, Words } from './cause-row.ts'

interface Told {
  readonly pattern: RegExp
  /** The more of a sentence is fixed, the surer it is of this cause. */
  readonly fixed: number
  readonly remedy: string
}

/** A foreign server may have answered it. */
const maxMessageLength = 1000
const words: Words = { broker: '<1>', topic: '<2>', id: '<3>', detail: '<4>' }
const anyWord = /<[1-4]>/

const told: readonly Told[] = Object.values(kafkaCauses)
  .flatMap(({ say, remedy }) =>
    [words, { ...words, detail: '' }].map((each) => toTold(say(each), remedy)),
  )
  .toSorted((one, other) => other.fixed - one.fixed)

function toTold(sentence: string, remedy: CauseRow['remedy']): Told {
  const parts = sentence.split(anyWord)
  const pattern = parts.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')).join('.+?')
  return { pattern: new RegExp(`^${pattern}`, 'is'), fixed: parts.join('').length, remedy }
}

/** What to do about an error, found by its sentence, because that is what is stored of it, by whichever node; undefined when it is none of the causes that
 *  can be named.
 *  @param message as {@link kafkaCauses} says it, with or without more behind it */
export function remedyOf(message: string): string | undefined {
  const begin = message.slice(0, maxMessageLength)
  return told.find(({ pattern }) => pattern.test(begin))?.remedy
}
