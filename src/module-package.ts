import { readFileSync } from 'node:fs'

/** Name and version of this module, as it was installed. */
export const modulePackage = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { readonly name: string; readonly version: string }
