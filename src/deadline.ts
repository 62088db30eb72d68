/** Aborted after this time, with a `TimeoutError`, or when `stopped` is, with its reason.
 *
 *  Not AbortSignal.any() of AbortSignal.timeout(): Node 20 collects a timeout that nothing but the other holds, and it never comes. */
export function deadline(
  timeoutMs: number,
  stopped: AbortSignal,
): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController()
  const stop = (): void => {
    controller.abort(stopped.reason)
  }
  const timer = setTimeout(() => {
    controller.abort(new DOMException('The time is over.', 'TimeoutError'))
  }, timeoutMs)
  if (stopped.aborted) stop()
  stopped.addEventListener('abort', stop)
  return {
    signal: controller.signal,
    dispose() {
      clearTimeout(timer)
      stopped.removeEventListener('abort', stop)
    },
  }
}

/** Whether the work has ended within this time. It goes on in either case.
 *  @throws what the work throws within the time */
export async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false)
    }, timeoutMs)
  })
  try {
    return await Promise.race([work.then(() => true), over])
  } finally {
    clearTimeout(timer)
  }
}

/** As the work ends, or at once with the reason of the signal when that is aborted before. The work goes on in either case. */
export async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(signal.reason as Error)
    }
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', leave)
    })
  })
}
