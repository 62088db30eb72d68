import { runCommand } from '../run-command.ts'
import type { Client } from './clients.ts'
import { steps } from './steps.ts'

const timeoutMs = 5 * 60_000

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
    // The exit code says nothing more: a client that stops early leaves steps without a word.
    output = (await runCommand(command, { env: environmentOf(server), timeoutMs })).output
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

function environmentOf({ url, user, password, token }: Server): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONDONTWRITEBYTECODE: '1',
    FHIR_URL: url,
    FHIR_USER: user,
    FHIR_PASSWORD: password,
    FHIR_TOKEN: token,
  }
}
