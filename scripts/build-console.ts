import { mkdir, writeFile } from 'node:fs/promises'
import { bundleConsole } from '../src/console/bundle.ts'

/** Writes the files that the console sends to a browser beside the compiled module. */
const folder = new URL('../dist/console/browser/', import.meta.url)
await mkdir(folder, { recursive: true })
for (const [name, bytes] of await bundleConsole()) await writeFile(new URL(name, folder), bytes)
