import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter, on, once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { outputOf, runCommand } from '../../../scripts/run-command.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A process says its name over the socket and stays. Its socket ends with it, however it ends. */
const member = `
  const [name, ...ignored] = process.argv.slice(1)
  const socket = require('node:net').connect(process.env.SOCKET, () => socket.write(name + '\\n'))
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (ignored.includes(signal)) socket.write('ignores ' + signal + '\\n')
      else socket.end('cleaned up\\n', () => process.exit())
    })
  }`

/** A shell with a child and a grandchild of which the shell knows nothing. */
const family = (...ignored: string[]): string[] => {
  const start = (name: string) => `"$0" -e "$1" ${[name, ...ignored].join(' ')}`
  return [
    'sh',
    '-c',
    `(${start('grandchild')} & wait) & ${start('child')}`,
    process.execPath,
    member,
  ]
}

/** What the members of a family say, each on its own connection. */
class Listening {
  readonly socket: string
  readonly #server: Server
  readonly #members = new Map<string, string[]>()
  readonly #events = new EventEmitter()

  private constructor(socket: string) {
    this.socket = socket
    this.#server = createServer((connection) => void this.#hear(connection)).listen(socket)
  }

  static async open(t: TestContext): Promise<Listening> {
    const directory = await mkdtemp(join(tmpdir(), 'run-command-'))
    const listening = new Listening(join(directory, 'socket'))
    await once(listening.#server, 'listening')
    t.after(async () => {
      listening.#server.close()
      await rm(directory, { recursive: true })
    })
    return listening
  }

  /** Resolves when the members have said this, in this order, and nothing else; `gone` is the last word of each. */
  async until(said: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const isSaid = () => isDeepStrictEqual(Object.fromEntries(this.#members), said)
    if (isSaid()) return
    for await (const _ of on(this.#events, 'said')) if (isSaid()) return
  }

  async #hear(connection: Socket): Promise<void> {
    let words: string[] | undefined
    connection.on('error', () => undefined)
    try {
      for await (const line of createInterface(connection)) {
        if (words) words.push(line)
        else this.#members.set(line, (words = []))
        this.#events.emit('said')
      }
    } finally {
      words?.push('gone')
      this.#events.emit('said')
    }
  }
}

interface Script {
  readonly directory: string
  readonly kill: (signal: NodeJS.Signals) => void
  /** Its exit code and what it printed after the directory. */
  readonly ended: Promise<{ readonly code: number | null; readonly printed: string[] }>
}

async function startScript(
  t: TestContext,
  { socket }: Listening,
  command: readonly string[],
): Promise<Script> {
  const script = fileURLToPath(new URL('command-script.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...command], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SOCKET: socket },
  })
  t.after(() => child.kill('SIGKILL'))
  const lines: string[] = []
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    printed: lines.slice(1),
  }))
  await once(reader, 'line')
  return { directory: lines[0] ?? '', kill: (signal) => child.kill(signal), ended }
}

describe('a signal to a script', { timeout: 60_000 }, () => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`${signal} goes to all that its command started, is waited for, and exits with ${code}`, async (t) => {
      const listening = await Listening.open(t)
      const script = await startScript(t, listening, family())
      await listening.until({ child: [], grandchild: [] })
      script.kill(signal)
      const ended = await script.ended
      await listening.until({
        child: ['cleaned up', 'gone'],
        grandchild: ['cleaned up', 'gone'],
      })
      assert.deepEqual(ended, { code, printed: [] })
      assert.equal(existsSync(script.directory), false)
    })
  }

  it('that is ignored is waited for; a second one kills', async (t) => {
    const listening = await Listening.open(t)
    const script = await startScript(t, listening, family('SIGTERM'))
    await listening.until({ child: [], grandchild: [] })
    script.kill('SIGTERM')
    await listening.until({ child: ['ignores SIGTERM'], grandchild: ['ignores SIGTERM'] })
    script.kill('SIGTERM')
    await listening.until({
      child: ['ignores SIGTERM', 'gone'],
      grandchild: ['ignores SIGTERM', 'gone'],
    })
    assert.deepEqual(await script.ended, { code: 143, printed: [] })
    assert.equal(existsSync(script.directory), false)
  })

  it('ends it at once when no command runs', async (t) => {
    const listening = await Listening.open(t)
    const script = await startScript(t, listening, [])
    script.kill('SIGTERM')
    assert.deepEqual(await script.ended, { code: 143, printed: [] })
    assert.equal(existsSync(script.directory), false)
  })
})

describe('runCommand', () => {
  it('answers with the code and all that was printed, in the log file as well', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'run-command-'))
    t.after(() => rm(directory, { recursive: true }))
    const logFile = join(directory, 'log')
    const command = ['sh', '-c', 'echo "$0"; echo "$WHO" >&2; pwd; exit 3', 'one']
    const env = { ...process.env, WHO: 'two' }
    const result = await runCommand(command, { cwd: directory, env, logFile })
    assert.equal(result.code, 3)
    const lines = result.output.trim().split('\n').toSorted()
    assert.deepEqual(lines, [directory, 'one', 'two'].toSorted())
    assert.equal(await readFile(logFile, 'utf8'), result.output)
  })

  it(
    'kills all that it started after its time, also when the first of them has ended',
    { timeout: 60_000 },
    async () => {
      // It resolves when nobody has its output any more.
      const { output } = await runCommand(['sh', '-c', 'sleep 1000000 & exit'], { timeoutMs: 300 })
      assert.equal(output, '')
    },
  )

  it('fails when there is no such command; outputOf when it fails, with what it printed', async () => {
    await assert.rejects(runCommand(['/no/such/command']), { code: 'ENOENT' })
    await assert.rejects(outputOf(['sh', '-c', 'echo why; exit 1']), /failed:\nwhy/)
    assert.equal(await outputOf(['echo', 'good']), 'good\n')
  })
})
