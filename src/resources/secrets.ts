import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve as resolvePath } from 'node:path'
import { TopicDestinationError } from '../errors.ts'
import { isJsonObject } from './json-shapes.ts'

/** Where the values of secret references come from. */
export interface SecretSource {
  /** The secret's text, without the line break that ends its file.
   *
   *  @param resourceType and `id` of the resource that refers to it; both must be in the secret's scope
   *  @throws {@link TopicDestinationError} `KTD_SECRET` out of scope, unknown or unreadable; the message never holds content */
  resolve(name: string, resourceType: string, id: string): string
}

interface VaultEntry {
  readonly path: string
  readonly resourceType: string
  readonly id: string | undefined
}

interface CachedFile {
  readonly version: string
  readonly text: string
}

/** Reads the vault configuration: `{"secret": {"<name>": {"path": "…", "scope": {"resource_type": "…", "id": "…"}}}}`.
 *  Relative paths start at the folder of the configuration file. Without a path every reference is refused.
 *  Format: https://www.health-samurai.io/docs/aidbox/configuration/secret-files
 *
 *  @throws {@link TopicDestinationError} `KTD_SECRET` when the file cannot be used */
export function loadSecretSource(vaultConfigPath?: string): SecretSource {
  if (vaultConfigPath === undefined) return { resolve: refuseWithoutVault }
  return new Vault(readVaultConfig(vaultConfigPath))
}

function refuseWithoutVault(): never {
  throw secretError(
    'Secret references need a vault configuration, and this server has none; write the value itself or ask the operator to set vaultConfigPath.',
  )
}

class Vault implements SecretSource {
  readonly #entries: ReadonlyMap<string, VaultEntry>
  readonly #files = new Map<string, CachedFile>()

  constructor(entries: ReadonlyMap<string, VaultEntry>) {
    this.#entries = entries
  }

  resolve(name: string, resourceType: string, id: string): string {
    const entry = this.#entries.get(name)
    // The name is not repeated: somebody may have put the secret itself there.
    if (!entry) {
      throw secretError(
        'The secret reference is not in the vault configuration; write the name of a secret that is.',
      )
    }
    if (entry.resourceType !== resourceType || (entry.id !== undefined && entry.id !== id)) {
      throw secretError(
        `The scope of the secret ${name} does not include ${resourceType}/${id}; widen it in the vault configuration or refer to another secret.`,
      )
    }
    const text = this.#read(name, entry.path)
    if (text === '') throw secretError(`The file of the secret ${name} is empty.`)
    return text
  }

  /** Looks at the file's version each time, so that a rotated secret is used at once and an unchanged one is not read again. */
  #read(name: string, path: string): string {
    try {
      const { mtimeMs, size, ino } = statSync(path)
      const version = `${mtimeMs} ${size} ${ino}`
      const cached = this.#files.get(path)
      if (cached?.version === version) return cached.text
      const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
      this.#files.set(path, { version, text })
      return text
    } catch (error) {
      this.#files.delete(path)
      throw secretError(`The file of the secret ${name} cannot be read (${errorCode(error)}).`)
    }
  }
}

function readVaultConfig(path: string): ReadonlyMap<string, VaultEntry> {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // A parser's message quotes the text, which may hold secrets by mistake.
    const reason = error instanceof SyntaxError ? 'it is not JSON' : errorCode(error)
    throw secretError(`The vault configuration cannot be read (${reason}).`)
  }
  const secrets = isJsonObject(config) ? config['secret'] : undefined
  if (!isJsonObject(secrets)) {
    throw secretError('The vault configuration needs an object "secret" that maps names to files.')
  }
  return new Map(
    Object.entries(secrets).map(([name, entry]) => [name, vaultEntry(name, entry, dirname(path))]),
  )
}

function vaultEntry(name: string, entry: unknown, folder: string): VaultEntry {
  const { path, scope } = isJsonObject(entry) ? entry : {}
  const { resource_type: resourceType, id } = isJsonObject(scope) ? scope : {}
  if (typeof path !== 'string' || path === '') {
    throw secretError(`The secret ${name} of the vault configuration needs a "path".`)
  }
  if (typeof resourceType !== 'string' || !(id === undefined || typeof id === 'string')) {
    throw secretError(
      `The secret ${name} of the vault configuration needs a "scope" with "resource_type" and, for one instance only, "id".`,
    )
  }
  return { path: resolvePath(folder, path), resourceType, id }
}

function secretError(message: string): TopicDestinationError {
  return new TopicDestinationError('KTD_SECRET', message)
}

function errorCode(error: unknown): string {
  return isJsonObject(error) && typeof error['code'] === 'string' ? error['code'] : 'unknown error'
}
