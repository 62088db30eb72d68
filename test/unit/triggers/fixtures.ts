import { readFile } from 'node:fs/promises'

/** Reads a JSON file below `fixtures/`. */
export async function readFixture<T>(path: string): Promise<T> {
  const url = new URL(`../../../fixtures/${path}`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T
}

/** Freezes a value and everything in it, so that any change to it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) deepFreeze(each)
  return Object.freeze(value)
}
