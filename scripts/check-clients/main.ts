/** Whether FHIR clients that others wrote can do all they are used for with the reference server: npm run check:clients -- [name …]
 *
 *  Needs npm, Python 3.11 with venv, Java 17 (JDK) and Maven; each client comes from its ordinary registry into a temporary
 *  folder. Starts the server, with authentication, on a PostgreSQL of its own. Prints one line for each client and step, exit code
 *  1 on a failure. A name, or a part of it, runs the clients of that name only.
 *
 *  Infrastructure as code is here by Ansible: Terraform takes its providers from a registry of its own. */
import { startServerProcess } from '../../test/helpers/server-process.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import { clients, type Client } from './clients.ts'
import { runClient } from './run-client.ts'

const credentials = { user: 'clinic', password: 'pass word:1', token: 'token-of-the-check' }

async function main(names: readonly string[]): Promise<number> {
  const wanted = clients.filter(
    ({ name }) => names.length === 0 || names.some((part) => name.includes(part)),
  )
  if (wanted.length === 0) throw new Error(`No client is named ${names.join(' or ')}.`)
  return withTemporaryDirectory('clients', async (directory) => runClients(wanted, directory))
}

async function runClients(wanted: readonly Client[], directory: string): Promise<number> {
  const server = await startServerProcess({
    BASIC_AUTH: `${credentials.user}:${credentials.password}`,
    AUTH_TOKEN: credentials.token,
    LOG_LEVEL: 'error',
  })
  try {
    let failed = 0
    for (const client of wanted) {
      failed += await runClient(client, directory, { url: server.url, ...credentials })
    }
    const errors = server.stderr().trim()
    if (errors !== '') console.error(`The server logged errors:\n${errors}`)
    console.log(`${wanted.length} clients, ${failed} steps failed`)
    return failed > 0 || errors !== '' ? 1 : 0
  } finally {
    await server.stop()
  }
}

process.exitCode = await main(process.argv.slice(2))
