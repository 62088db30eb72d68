import { endsWithin } from '../deadline.ts'
import { blockingCalls } from './blocking-calls.ts'

/** Ends the process after everything is stopped, as `process.exit` does, which waits for the threads of libuv. A call of librdkafka that hangs, because its
 *  cluster does, holds one of them: the process would stay until somebody kills it. So it kills itself then, and `exitCode` is lost. */
export function endProcess(exitCode: number): void {
  if (blockingCalls.areRunning) process.kill(process.pid, 'SIGKILL')
  else process.exit(exitCode)
}

/** Ends it as soon as no call of librdkafka runs, or after `timeoutMs`: for who needs the exit code more than the time. */
export async function endProcessWhenIdle(exitCode: number, timeoutMs: number): Promise<void> {
  await endsWithin(blockingCalls.idle(), timeoutMs)
  endProcess(exitCode)
}
