import type { Socket } from 'node:net'

/** What came of a new socket: its error, or undefined when nothing came in time or it was called off. It is destroyed in any case.
 *  @param event that is looked for
 *  @param timeoutMs in which nothing moves */
export async function probeSocket(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  timeoutMs: number,
  calledOff?: AbortSignal,
): Promise<'reached' | Error | undefined> {
  return new Promise((resolve) => {
    const end = (outcome: 'reached' | Error | undefined): void => {
      calledOff?.removeEventListener('abort', leave)
      // At once: an error that comes later would end the process.
      socket.destroy()
      resolve(outcome)
    }
    const leave = (): void => {
      end(undefined)
    }
    calledOff?.addEventListener('abort', leave)
    socket.setTimeout(timeoutMs, leave)
    socket.once('error', end)
    socket.once(event, () => {
      end('reached')
    })
  })
}
