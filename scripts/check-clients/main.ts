/** Whether FHIR clients that others wrote can do all they are used for with the reference server: npm run check:clients -- [name …]
 *
 *  Needs npm, Python 3.11 with venv, Java 17 (JDK) and Maven; each client comes from its ordinary registry into a temporary
 *  folder. Starts the server, with authentication, on a PostgreSQL of its own. Prints one line for each client and step, exit code
 *  1 on a failure. A name, or a part of it, runs the clients of that name only.
 *
 *  Infrastructure as code is here by Ansible: Terraform takes its providers from a registry of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServerProcess } from '../../test/helpers/server-process.ts'
import { clients } from './clients.ts'
import { runClient } from './run-client.ts'

const credentials = { user: 'clinic', password: 'pass word:1', token: 'token-of-the-check' }

async function main(names: readonly string[]): Promise<number> {
  const wanted = clients.filter(
    ({ name }) => names.length === 0 || names.some((part) => name.includes(part)),
  )
  if (wanted.length === 0) throw new Error(`No client is named ${names.join(' or ')}.`)
  const directory = await mkdtemp(join(tmpdir(), 'topic-destination-clients-'))
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
    await rm(directory, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
