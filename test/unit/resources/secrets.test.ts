import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { pkcs12, selfSigned } from '../kafka/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'vault-'))
after(() => {
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function vault(secret: unknown): ReturnType<typeof loadSecretSource> {
  return loadSecretSource(write('vault.json', JSON.stringify({ secret })))
}

const anyDestination = { resource_type: 'AidboxTopicDestination' }
const failure = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error)
  assert.equal(error.code, 'KTD_SECRET')
  assert.match(error.message, message)
  assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /canary/)
  return true
}

describe('secret source', () => {
  it('reads the file of a secret, without its last line break', () => {
    const path = write('jaas', 'canary one\ncanary two\n')
    const source = vault({ jaas: { path, scope: anyDestination } })
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary one\ncanary two')
  })

  it('finds a relative path beside the configuration', () => {
    write('relative', 'canary')
    const source = vault({ jaas: { path: './relative', scope: anyDestination } })
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary')
  })

  it('reads a rotated file again', () => {
    const path = write('rotated', 'canary-1')
    const source = vault({ jaas: { path, scope: anyDestination } })
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-1')
    const { mtime } = statSync(path)
    writeFileSync(path, 'canary-2')
    // A coarse clock of the file system must not decide the test.
    utimesSync(path, mtime, new Date(mtime.getTime() + 1000))
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-2')
  })

  it('does not read a file again whose time has not changed', () => {
    const path = write('unchanged', 'canary-1')
    const source = vault({ jaas: { path, scope: anyDestination } })
    const noon = new Date('2026-11-24T12:00:00Z')
    utimesSync(path, noon, noon)
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-1')
    writeFileSync(path, 'canary-2')
    utimesSync(path, noon, noon)
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-1')
  })

  it('tells another version of what has changed, and of what was written just now', () => {
    const path = write('versions', 'canary-1')
    const source = vault({ jaas: { path, scope: anyDestination } })
    const noon = new Date('2026-01-24T12:00:00Z')
    utimesSync(path, noon, noon)
    const before = source.version('jaas')
    assert.equal(source.version('jaas'), before)
    utimesSync(path, noon, new Date(noon.getTime() + 1))
    assert.notEqual(source.version('jaas'), before)
    rmSync(path)
    assert.match(source.version('jaas'), /ENOENT/)
    assert.equal(source.version('unknown'), source.version('unknown'))
    assert.doesNotMatch(before, /canary|versions/)
  })

  it('reads a file again that was written twice within one tick of the clock', async () => {
    const path = write('twice', 'canary-1')
    const source = vault({ jaas: { path, scope: anyDestination } })
    const now = new Date()
    utimesSync(path, now, now)
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-1')
    // Whoever looks within the same millisecond sees the same.
    await delay(2)
    writeFileSync(path, 'canary-2')
    utimesSync(path, now, now)
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary-2')
  })

  const scopes = [
    { name: 'another type', scope: { resource_type: 'Patient' }, id: 'a' },
    { name: 'another id', scope: { ...anyDestination, id: 'b' }, id: 'a' },
  ]
  for (const { name, scope, id } of scopes) {
    it(`refuses a secret whose scope names ${name}`, () => {
      const source = vault({ jaas: { path: write('scoped', 'canary'), scope } })
      assert.throws(
        () => source.resolve('jaas', 'AidboxTopicDestination', id),
        failure(/^The scope of the secret jaas does not include AidboxTopicDestination\/a/),
      )
    })
  }

  it('gives a secret to the one instance in its scope', () => {
    const path = write('scoped', 'canary')
    const source = vault({ jaas: { path, scope: { ...anyDestination, id: 'a' } } })
    assert.equal(source.resolve('jaas', 'AidboxTopicDestination', 'a'), 'canary')
  })

  const unusable = [
    { name: 'unknown', secret: 'canary', file: undefined, message: /not in the vault/ },
    {
      name: 'a name of every object',
      secret: 'toString',
      file: undefined,
      message: /not in the vault/,
    },
    { name: 'missing file', secret: 'jaas', file: 'nowhere', message: /cannot be read \(ENOENT\)/ },
    { name: 'folder', secret: 'jaas', file: '.', message: /cannot be read \(EISDIR\)/ },
    { name: 'empty file', secret: 'jaas', file: write('empty', '\n'), message: /is empty/ },
  ]
  for (const { name, secret, file = 'x', message } of unusable) {
    it(`refuses: ${name}`, () => {
      const source = vault({ jaas: { path: file, scope: anyDestination } })
      assert.throws(() => source.resolve(secret, 'AidboxTopicDestination', 'a'), failure(message))
    })
  }

  it('opens a key store with the password of its file, and tells another content', () => {
    const path = join(folder, 'client.p12')
    const passwordPath = write('client.p12.password', 'canary-password\n')
    const identity = selfSigned('client')
    writeFileSync(path, pkcs12(identity, 'canary-password'))
    const entry = { path: './client.p12', format: 'pkcs12', scope: anyDestination }
    const source = vault({ client: { ...entry, password_path: passwordPath } })
    const resolve = () => source.resolve('client', 'AidboxTopicDestination', 'a')
    const first = resolve()
    assert.ok(typeof first === 'object')
    const { sha256, ...store } = first
    assert.deepEqual(store, {
      path,
      password: 'canary-password',
      certificate: identity.certificate,
    })
    const version = source.version('client')
    writeFileSync(path, pkcs12(selfSigned('client'), 'canary-password'))
    const second = resolve()
    assert.ok(typeof second === 'object')
    assert.notEqual(second.sha256, sha256)
    assert.notEqual(source.version('client'), version)

    writeFileSync(passwordPath, 'canary-wrong')
    assert.throws(resolve, failure(/^The key store of the secret client cannot be opened with its/))
    writeFileSync(path, 'canary')
    assert.throws(resolve, failure(/^The key store of the secret client is no PKCS#12 file/))
    rmSync(passwordPath)
    assert.throws(
      resolve,
      failure(/^The password file of the secret client cannot be read \(ENOENT/),
    )
  })

  it('opens a key store without a password', () => {
    const path = join(folder, 'open.p12')
    writeFileSync(path, pkcs12(selfSigned('client'), ''))
    const source = vault({ client: { path, format: 'pkcs12', scope: anyDestination } })
    const store = source.resolve('client', 'AidboxTopicDestination', 'a')
    assert.ok(typeof store === 'object' && store.password === '')
  })

  it('refuses every reference without a configuration', () => {
    const source = loadSecretSource()
    assert.throws(
      () => source.resolve('canary', 'AidboxTopicDestination', 'a'),
      failure(/need a vault configuration/),
    )
  })
})

describe('vault configuration', () => {
  const faults = [
    { name: 'not JSON', text: '{"secret": canary', message: /it is not JSON/ },
    { name: 'no secrets', text: '{"secrets": {}}', message: /needs an object "secret"/ },
    { name: 'an array', text: '[]', message: /needs an object "secret"/ },
    {
      name: 'no path',
      text: '{"secret": {"jaas": {"scope": {"resource_type": "X"}}}}',
      message: /jaas .*"path"/,
    },
    {
      name: 'no scope',
      text: '{"secret": {"jaas": {"path": "/canary"}}}',
      message: /jaas .*"scope"/,
    },
    {
      name: 'an unknown format',
      text: '{"secret": {"jaas": {"path": "/canary", "format": "jks", "scope": {"resource_type": "X"}}}}',
      message: /jaas .*"pkcs12"/,
    },
    {
      name: 'a password of a text',
      text: '{"secret": {"jaas": {"path": "/canary", "password_path": "/canary", "scope": {"resource_type": "X"}}}}',
      message: /jaas .*"pkcs12"/,
    },
    {
      name: 'a password instead of its file',
      text: '{"secret": {"jaas": {"path": "/canary", "format": "pkcs12", "password_path": 4711, "scope": {"resource_type": "X"}}}}',
      message: /jaas .*"password_path"/,
    },
    {
      name: 'no type',
      text: '{"secret": {"jaas": {"path": "/canary", "scope": {"id": "a"}}}}',
      message: /jaas .*"scope"/,
    },
  ]
  for (const { name, text, message } of faults) {
    it(`refuses: ${name}`, () => {
      const path = write('faulty.json', text)
      assert.throws(() => loadSecretSource(path), failure(message))
    })
  }

  it('refuses a path that leads nowhere', () => {
    assert.throws(() => loadSecretSource(join(folder, 'none.json')), failure(/\(ENOENT\)/))
  })
})
