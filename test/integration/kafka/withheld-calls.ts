import type { TestContext } from 'node:test'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'

type Method = (this: object, ...values: unknown[]) => unknown

/** Calls of node-rdkafka that were made and have not begun. */
export interface WithheldCalls {
  readonly count: number
  /** Resolves when so many were made. */
  until(count: number): Promise<void>
  /** They begin, and later ones begin at once. */
  release(): void
}

/** Holds the calls of a method of all producers back, at the longest until the test has ended. */
export function withholdCalls(
  t: TestContext,
  name: 'getMetadata' | 'sendOffsetsToTransaction',
): WithheldCalls {
  // The types would bind it to a client.
  const original = Reflect.get(rdkafka.Producer.prototype, name) as Method
  const withheld: (() => void)[] = []
  let isWithholding = true
  let wake = (): void => undefined
  t.mock.method(
    rdkafka.Producer.prototype,
    name,
    function withholding(this: object, ...values: unknown[]) {
      const begin = (): void => {
        original.apply(this, values)
      }
      if (!isWithholding) return begin()
      withheld.push(begin)
      wake()
    },
  )
  const release = (): void => {
    isWithholding = false
    for (const begin of withheld.splice(0)) begin()
  }
  t.after(release)
  return {
    get count() {
      return withheld.length
    },
    async until(count) {
      while (withheld.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    release,
  }
}
