/** A script that runs one command in a temporary directory, as those in scripts/ do: command-script.ts [command …]
 *
 *  Without a command it waits for ever. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { runCommand } from '../../../scripts/run-command.ts'
import { withTemporaryDirectory } from '../../../scripts/temporary-directory.ts'

const [command, ...args] = process.argv.slice(2)

await withTemporaryDirectory('command-script', async (directory) => {
  process.stdout.write(`${directory}\n`)
  if (command === undefined) await once(connect(process.env['SOCKET'] ?? ''), 'close')
  else await runCommand([command, ...args])
  process.stdout.write('went on\n')
})
