/** An open loop: starts so many runs a second for the time, whether or not the former ones have ended, and waits for all.
 *  @returns how many */
export async function atRate(
  perSecond: number,
  durationMs: number,
  run: () => Promise<unknown>,
): Promise<number> {
  const startMs = performance.now()
  const total = Math.floor((perSecond * durationMs) / 1000)
  const pending: Promise<unknown>[] = []
  while (pending.length < total) {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000) + 1
    while (pending.length < Math.min(total, due)) pending.push(run())
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  return total
}

/** As many runs as fit into the time, so many at once.
 *  @returns runs a second */
export async function saturate(
  atOnce: number,
  durationMs: number,
  run: (worker: number) => Promise<unknown>,
): Promise<number> {
  const startMs = performance.now()
  let done = 0
  const work = async (worker: number): Promise<void> => {
    for (; performance.now() - startMs < durationMs; done++) await run(worker)
  }
  await Promise.all(Array.from({ length: atOnce }, (_, worker) => work(worker)))
  return (done / (performance.now() - startMs)) * 1000
}
