import { readFileSync, statSync } from 'node:fs'

interface ReadFile {
  readonly version: string
  readonly content: Buffer
}

/** Clocks of file systems tick in milliseconds: a file that was written just now may be written again without a newer time. */
const settledAfterMs = 1000

/** Files of secrets, each read again only when it has changed. */
export class SecretFiles {
  readonly #read = new Map<string, ReadFile>()

  /** Another text whenever the file may have another content; never throws. */
  version(path: string): string {
    try {
      return versionOf(path)
    } catch (error) {
      return fileErrorCode(error)
    }
  }

  /** @throws what the file system throws */
  content(path: string): Buffer {
    try {
      const version = versionOf(path)
      const before = this.#read.get(path)
      if (before?.version === version) return before.content
      const content = readFileSync(path)
      this.#read.set(path, { version, content })
      return content
    } catch (error) {
      this.#read.delete(path)
      throw error
    }
  }
}

/** Follows links, as mounted secrets of Kubernetes are replaced by another link. */
function versionOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path)
  const nowMs = Date.now()
  const isFresh = Math.abs(nowMs - mtimeMs) < settledAfterMs
  return `${mtimeMs} ${size} ${ino}${isFresh ? ` ${nowMs}` : ''}`
}

/** The code of an error of the file system. Its message names the path. */
export function fileErrorCode(error: unknown): string {
  const code =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown error'
}
