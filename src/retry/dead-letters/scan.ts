import {
  deadLetter,
  obstacleOf,
  redrivenBefore,
  type DeadLetterTopic,
} from './dead-letter-topic.ts'
import type { Stretch, TopicReader } from './topic-reader.ts'

/** What a look at a dead letter has found. */
export interface ScannedLetter {
  readonly offset: number
  readonly errorClass: string
  /** Why it cannot be sent again. */
  readonly obstacle: string | undefined
}

/** A partition, from the first offset that counts. */
export interface ScannedPartition extends Stretch {
  readonly letters: readonly ScannedLetter[]
}

/** Whether a dead letter failed so; undefined: any did. */
export function isOfClass(errorClass: string | undefined): (letter: ScannedLetter) => boolean {
  return (letter) => errorClass === undefined || letter.errorClass === errorClass
}

/** Of the dead letters of a partition those that are wanted. */
export interface ChosenLetters {
  /** Ends with the last of them. */
  readonly stretch: Stretch
  readonly offsets: ReadonlySet<number>
}

/** The first dead letters that are wanted, so many at most. Partitions without any are left out. */
export function chosenLetters(
  scanned: readonly ScannedPartition[],
  isWanted: (letter: ScannedLetter) => boolean,
  limit: number,
): ChosenLetters[] {
  let left = Math.max(0, limit)
  return scanned.flatMap((stretch) => {
    const chosen = stretch.letters.filter(isWanted).slice(0, left)
    const last = chosen.at(-1)
    if (!last) return []
    left -= chosen.length
    const offsets = new Set(chosen.map(({ offset }) => offset))
    return [{ stretch: { ...stretch, to: last.offset + 1 }, offsets }]
  })
}

/** Called now and then with the number of records that were looked at. */
export type OnProgress = (records: number, total: number) => void

/** Looks at every dead letter that has not been sent again. */
export async function scanDeadLetters(
  reader: TopicReader,
  place: DeadLetterTopic,
  onProgress?: OnProgress,
): Promise<ScannedPartition[]> {
  const whole = await reader.whole()
  const found = new Map(
    whole.map(({ partition, from }) => [partition, { from, letters: new Array<ScannedLetter>() }]),
  )
  const total = whole.reduce((sum, { from, to }) => sum + to - from, 0)
  let count = 0
  await reader.read(whole, (records) => {
    for (const record of records) {
      const open = found.get(record.partition)
      if (!open) continue
      const before = redrivenBefore(record)
      if (before === undefined) {
        const letter = deadLetter(record)
        const { errorClass = 'unknown' } = letter.state
        open.letters.push({
          offset: record.offset,
          errorClass,
          obstacle: obstacleOf(letter, place),
        })
      } else if (before > open.from) {
        open.from = before
        open.letters = open.letters.filter(({ offset }) => offset >= before)
      }
    }
    count += records.length
    onProgress?.(count, total)
  })
  return whole.map((stretch) => ({ ...stretch, letters: [], ...found.get(stretch.partition) }))
}
