import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Client } from './clients.ts'
import { steps } from './steps.ts'

const run = promisify(execFile)
const deadlineMs = 5 * 60_000

export interface Server {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly token: string
}

/** Installs a client and lets it do every step. Prints a line for each.
 *  @returns how many failed; a step that the client said nothing of has failed */
export async function runClient(
  client: Client,
  directory: string,
  server: Server,
): Promise<number> {
  const print = (what: string, step: string, detail: string) => {
    console.log(`${what.padEnd(11)} ${client.name}: ${step}${detail === '' ? '' : ` (${detail})`}`)
  }
  let output: string
  try {
    const command = await client.install(directory)
    output = await outputOf(command, server)
  } catch (error) {
    print('failed', 'install', String(error))
    return steps.length
  }
  let failed = 0
  const reported = client.reports(output)
  for (const step of steps) {
    const { result, detail } = reported.get(step) ?? { result: 'failed', detail: 'no word of it' }
    if (result === 'failed') failed++
    print(result, step, detail)
  }
  if (failed > 0) console.error(output)
  return failed
}

/** Standard output and error. The exit code says nothing more: a client that stops early leaves steps without a word. */
async function outputOf(
  [command = '', ...args]: readonly string[],
  server: Server,
): Promise<string> {
  const env = {
    ...process.env,
    PYTHONDONTWRITEBYTECODE: '1',
    FHIR_URL: server.url,
    FHIR_USER: server.user,
    FHIR_PASSWORD: server.password,
    FHIR_TOKEN: server.token,
  }
  const options = { env, timeout: deadlineMs, maxBuffer: 64 * 1024 * 1024 }
  try {
    const { stdout, stderr } = await run(command, args, options)
    return stdout + stderr
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && 'stderr' in error) {
      return `${String(error.stdout)}${String(error.stderr)}`
    }
    throw error
  }
}
