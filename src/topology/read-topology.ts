import { readFileSync } from 'node:fs'
import { TopologyError } from './finding.ts'
import { parseTopology, type TopologySource } from './parse-topology.ts'

/** Reads and parses a topology file.
 *  @throws {@link TopologyError} as `parseTopology`, and when the file cannot be read */
export function readTopology(file: string): TopologySource {
  return parseTopology(readText(file), file)
}

/** @throws {@link TopologyError} that says why it cannot be read */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    const reason = unreadable[code] ?? `cannot be read (${code})`
    throw new TopologyError(`The file ${file} ${reason}.`, { cause: error })
  }
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a directory',
}
