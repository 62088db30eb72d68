/** The items of a source until the signal is aborted: it ends then, also when the source takes its time. The source is closed in every
 *  case.
 *  @throws what the source throws before the signal is aborted */
export async function* untilAborted<Item>(
  source: AsyncIterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  let giveUp: () => void = () => undefined
  const unlessAborted = async <Result>(work: Promise<Result>): Promise<Result | undefined> => {
    try {
      const result = await work
      return signal.aborted ? undefined : result
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  }
  const onAbort = (): void => {
    giveUp()
  }
  // Not Promise.race() with one promise of the abort: that would hold every item until the end.
  const beforeAbort = <Result>(work: Promise<Result>): Promise<Result | undefined> =>
    new Promise((resolve, reject) => {
      giveUp = () => {
        resolve(undefined)
      }
      unlessAborted(work).then(resolve, reject)
      if (signal.aborted) giveUp()
    })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    while (!signal.aborted) {
      const result = await beforeAbort(iterator.next())
      if (result?.done !== false) return
      yield result.value
    }
  } finally {
    // Whoever does not hear the signal is not waited for.
    await beforeAbort(Promise.resolve(iterator.return?.()))
    signal.removeEventListener('abort', onAbort)
  }
}
