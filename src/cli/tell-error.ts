import type { LocatedFinding } from '../topology/finding.ts'
import type { CommandIo } from './command.ts'
import { printableJson } from './printable.ts'

/** Why a command could not do its work.
 *  @param findings places in a topology file, for JSON; the message has them too */
export function tellError(
  io: CommandIo,
  asJson: boolean,
  message: string,
  findings: readonly LocatedFinding[] = [],
): void {
  if (asJson) io.out(`${printableJson({ error: { message, findings } }, 2)}\n`)
  else io.err(`${message}\n`)
}
