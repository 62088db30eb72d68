import { readFileSync } from 'node:fs'
import { dirname, resolve as resolvePath } from 'node:path'
import { TopicDestinationError } from '../errors.ts'
import { KeyStoreError, openKeyStore, type KeyStore } from '../kafka/key-store.ts'
import { isJsonObject } from './json-shapes.ts'
import { fileErrorCode, SecretFiles } from './secret-files.ts'

/** Where the values of secret references come from. */
export interface SecretSource {
  /** The secret's text, without the line break that ends its file; or the key store it is.
   *
   *  @param resourceType and `id` of the resource that refers to it; both must be in the secret's scope
   *  @throws {@link TopicDestinationError} `KTD_SECRET` out of scope, unknown or unreadable; the message never holds content */
  resolve(name: string, resourceType: string, id: string): string | KeyStore
  /** Another text whenever `resolve` may answer something else: cheap, so that it can be asked each second. */
  version(name: string): string
}

interface VaultEntry {
  readonly path: string
  /** Present for a PKCS#12 file: where its password is, `undefined` when it has none. */
  readonly keyStore: { readonly passwordPath: string | undefined } | undefined
  readonly resourceType: string
  readonly id: string | undefined
}

/** Reads the vault configuration: `{"secret": {"<name>": {"path": "…", "scope": {"resource_type": "…", "id": "…"}}}}`. A secret that is a
 *  PKCS#12 file has `"format": "pkcs12"` beside it, and `"password_path"`, the file of its password.
 *  Relative paths start at the folder of the configuration file. Without a path every reference is refused.
 *  Format: https://www.health-samurai.io/docs/aidbox/configuration/secret-files; `format` and `password_path` are ours.
 *
 *  @throws {@link TopicDestinationError} `KTD_SECRET` when the file cannot be used */
export function loadSecretSource(vaultConfigPath?: string): SecretSource {
  if (vaultConfigPath === undefined) return { resolve: refuseWithoutVault, version: () => '' }
  return new Vault(readVaultConfig(vaultConfigPath))
}

function refuseWithoutVault(): never {
  throw secretError(
    'Secret references need a vault configuration, and this server has none; write the value itself or ask the operator to set vaultConfigPath.',
  )
}

class Vault implements SecretSource {
  readonly #entries: ReadonlyMap<string, VaultEntry>
  readonly #files = new SecretFiles()
  /** Opening one takes a while, and many destinations may refer to it. By path. */
  readonly #keyStores = new Map<string, { readonly content: Buffer; readonly opened: KeyStore }>()

  constructor(entries: ReadonlyMap<string, VaultEntry>) {
    this.#entries = entries
  }

  resolve(name: string, resourceType: string, id: string): string | KeyStore {
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
    return entry.keyStore
      ? this.#keyStore(name, entry.path, entry.keyStore.passwordPath)
      : this.#text(name, entry.path, 'file')
  }

  version(name: string): string {
    const { path, keyStore } = this.#entries.get(name) ?? {}
    return [path, keyStore?.passwordPath]
      .map((each) => (each === undefined ? '' : this.#files.version(each)))
      .join(', ')
  }

  #text(name: string, path: string, what: string): string {
    const text = this.#content(name, path, what)
      .toString('utf8')
      .replace(/\r?\n$/, '')
    if (text === '') throw secretError(`The ${what} of the secret ${name} is empty.`)
    return text
  }

  #keyStore(name: string, path: string, passwordPath: string | undefined): KeyStore {
    const password =
      passwordPath === undefined ? '' : this.#text(name, passwordPath, 'password file')
    const content = this.#content(name, path, 'file')
    const before = this.#keyStores.get(path)
    if (before?.opened.password === password && before.content.equals(content)) return before.opened
    try {
      const opened = openKeyStore(path, content, password)
      this.#keyStores.set(path, { content, opened })
      return opened
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error
      throw secretError(`The key store of the secret ${name} ${error.message}.`)
    }
  }

  #content(name: string, path: string, what: string): Buffer {
    try {
      return this.#files.content(path)
    } catch (error) {
      throw secretError(
        `The ${what} of the secret ${name} cannot be read (${fileErrorCode(error)}).`,
      )
    }
  }
}

function readVaultConfig(path: string): ReadonlyMap<string, VaultEntry> {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // A parser's message quotes the text, which may hold secrets by mistake.
    const reason = error instanceof SyntaxError ? 'it is not JSON' : fileErrorCode(error)
    throw secretError(`The vault configuration ${path} cannot be read (${reason}).`)
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
  const { path, scope, format, password_path: passwordPath } = isJsonObject(entry) ? entry : {}
  const { resource_type: resourceType, id } = isJsonObject(scope) ? scope : {}
  const subject = `The secret ${name} of the vault configuration`
  if (!isPath(path)) throw secretError(`${subject} needs a "path".`)
  if (typeof resourceType !== 'string' || !(id === undefined || typeof id === 'string')) {
    throw secretError(
      `${subject} needs a "scope" with "resource_type" and, for one instance only, "id".`,
    )
  }
  const ofFile = { path: resolvePath(folder, path), resourceType, id }
  if (format === undefined && passwordPath === undefined) return { ...ofFile, keyStore: undefined }
  if (format !== 'pkcs12') {
    throw secretError(
      `${subject} is a text, or a key store with "format": "pkcs12" and "password_path".`,
    )
  }
  if (passwordPath === undefined) return { ...ofFile, keyStore: { passwordPath } }
  if (!isPath(passwordPath))
    throw secretError(`${subject} needs the path of a file as "password_path".`)
  return { ...ofFile, keyStore: { passwordPath: resolvePath(folder, passwordPath) } }
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function secretError(message: string): TopicDestinationError {
  return new TopicDestinationError('KTD_SECRET', message)
}
