import { rmSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitOnSignal } from './run-command.ts'

/** Gives `use` a directory of its own and removes it afterwards, also when a signal ends this process. */
export async function withTemporaryDirectory<Result>(
  name: string,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), `topic-destination-${name}-`))
  // PostgreSQL runs as another user when we are root, and may have to reach its programs in there.
  await chmod(directory, 0o755)
  const removeAtExit = () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  process.once('exit', removeAtExit)
  exitOnSignal()
  try {
    return await use(directory)
  } finally {
    process.off('exit', removeAtExit)
    await rm(directory, { recursive: true, force: true })
  }
}
