import { spawn } from 'node:child_process'
import { Socket } from 'node:net'

export interface EndWithParentOptions {
  readonly processId: number
  /** Sent first; SIGKILL follows ten seconds later. */
  readonly signal: 'INT' | 'TERM' | 'KILL'
  /** Removed once the process is gone. */
  readonly removeDirectory?: string | undefined
}

// `read` returns when the pipe on its standard input closes, whatever way the parent died. In a container nobody may reap
// the orphan: a zombie still answers `kill -0`, so its state is asked, too (`ps` may be missing: the wait has an end).
const watchScript = `
read -r _
kill -s "$2" "$1" 2>/dev/null
i=0
while kill -0 "$1" 2>/dev/null && [ $i -lt 100 ]; do
  case $(ps -o stat= -p "$1" 2>/dev/null) in Z*) break ;; esac
  sleep 0.1
  i=$((i+1))
done
kill -s KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf "$3"
`

/** Ends a process of ours when this one dies, even by SIGKILL. Returns the function that calls the watch off.
 *
 *  The watched process must be a direct child: its id is then not given to another process before our `exit` event,
 *  which has to call the watch off. */
export function endWithParent(options: EndWithParentOptions): () => void {
  const watch = spawn(
    '/bin/sh',
    [
      '-c',
      watchScript,
      'end-with-parent',
      String(options.processId),
      options.signal,
      options.removeDirectory ?? '',
    ],
    // A session of its own: Ctrl-C in a terminal reaches the whole foreground group, and the watch must survive it.
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' },
  )
  watch.unref()
  if (watch.stdin instanceof Socket) watch.stdin.unref()
  watch.once('error', () => undefined)
  return () => {
    watch.kill('SIGKILL')
  }
}
