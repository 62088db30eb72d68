import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { definitions } from '../src/resources/definitions.ts'

/** Writes profiles/*.json from the tables in src/. With `--check` it writes nothing and exits 1 when a file is not in step. */
const folder = join(import.meta.dirname, '..', 'profiles')

const wanted = new Map(
  definitions.map((resource) => [
    `${resource.resourceType}-${resource.id ?? ''}.json`,
    `${JSON.stringify(resource, undefined, 2)}\n`,
  ]),
)

await mkdir(folder, { recursive: true })
const existing = (await readdir(folder)).filter((name) => name.endsWith('.json'))
const superfluous = existing.filter((name) => !wanted.has(name))
const stale: string[] = []
for (const [name, text] of wanted) {
  const isInStep = existing.includes(name) && (await readFile(join(folder, name), 'utf8')) === text
  if (!isInStep) stale.push(name)
}

if (process.argv.includes('--check')) {
  for (const name of stale) console.error(`profiles/${name} differs from the tables in src/`)
  for (const name of superfluous) console.error(`profiles/${name} comes from no table in src/`)
  if (stale.length + superfluous.length > 0) {
    console.error('Run "npm run profiles" and commit the result.')
    process.exitCode = 1
  }
} else {
  for (const name of superfluous) await rm(join(folder, name))
  for (const name of stale) await writeFile(join(folder, name), wanted.get(name) ?? '')
  console.log(`profiles/: ${stale.length} written, ${superfluous.length} removed`)
}
