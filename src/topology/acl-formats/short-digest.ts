import { createHash } from 'node:crypto'

/** Eight digits that tell names apart which look the same once their other characters are gone. */
export function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
