import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { commands, runCommand } from '../../../src/cli/run-command.ts'

async function script(shell: string): Promise<string> {
  let text = ''
  const code = await runCommand(['completion', shell], {
    env: {},
    isTerminal: false,
    out: (more) => (text += more),
    err: (more) => assert.fail(more),
  })
  assert.equal(code, 0)
  return text
}

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0
}

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'))
  for (const name of ['topology one.yaml', 'state.json']) writeFileSync(join(folder, name), '')
})
after(() => {
  rmSync(folder, { recursive: true })
})

/** Lines and what they are completed to. bash parts `--option=value` into three words. */
const cases: readonly (readonly [words: readonly string[], found: readonly string[]])[] = [
  [['topo'], ['topology']],
  [
    ['topology', 'dlq', ''],
    ['ls', 'show', 'redrive', 'purge'],
  ],
  [
    ['topology', 'plan', '--al'],
    ['--allow-partition-increase', '--allow-shorter-retention'],
  ],
  [['topology', 'plan', 'topo'], ['topology one.yaml']],
  [['topology', 'acls', 'one.yaml', '--format', 's'], ['strimzi']],
  [['explain', 'admissions', '--current', 'st'], ['state.json']],
  [
    ['explain', '--interaction', ''],
    ['create', 'update', 'delete'],
  ],
  [
    ['serve', '--console', ''],
    ['true', 'false'],
  ],
  [['status', 'd', '--w'], ['--watch']],
  [['status', '--url', ''], []],
  [['completion', 'z'], ['zsh']],
  [['no-such', 'dlq', ''], []],
  [['topology', 'no-such', ''], []],
]

describe('fhir-kafka completion', () => {
  it('completes commands, options, choices and files in bash', async () => {
    const source = await script('bash')
    const complete = (words: readonly string[]): string[] => {
      const quoted = ['fhir-kafka', ...words].map((word) => `'${word}'`).join(' ')
      const call = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _fhir_kafka fhir-kafka`
      const print = `printf '%s\\n' "\${COMPREPLY[@]}"`
      const text = execFileSync('bash', ['--norc', '-c', `${source}\n${call}\n${print}`], {
        cwd: folder,
        encoding: 'utf8',
      })
      return text.split('\n').filter(Boolean)
    }
    for (const [words, found] of cases) assert.deepEqual(complete(words), found, words.join(' '))
    assert.deepEqual(complete(['redrive', '--of', '=', 'd']), ['dead-letters'])
    assert.deepEqual(complete(['redrive', '--of', '=']), ['dead-letters', 'undecided'])
    const first = new Set(commands.map(({ name }) => name.split(' ')[0]))
    assert.deepEqual(complete(['']), [...first])
    const registered = execFileSync('bash', ['--norc', '-c', `${source}\ncomplete -p fhir-kafka`])
    assert.equal(registered.toString(), 'complete -F _fhir_kafka fhir-kafka\n')
  })

  it('says the same in fish', async (t) => {
    if (!isInstalled('fish')) {
      t.skip('fish is not installed')
      return
    }
    const source = await script('fish')
    for (const [words, found] of cases) {
      const line = ['fhir-kafka', ...words].join(' ')
      const text = execFileSync('fish', ['--no-config', '-c', `${source}\ncomplete -C '${line}'`], {
        cwd: folder,
        encoding: 'utf8',
      })
      const completed = text.split('\n').filter(Boolean)
      assert.deepEqual(
        new Set(completed.map((one) => one.split('\t')[0]?.replaceAll('\\', ''))),
        new Set(found),
        line,
      )
    }
  })

  it('is read by zsh', async (t) => {
    if (!isInstalled('zsh')) {
      t.skip('zsh is not installed')
      return
    }
    execFileSync('zsh', ['-f', '-n'], { input: await script('zsh') })
  })

  it('knows no other shell', async () => {
    let text = ''
    const io = {
      env: {},
      isTerminal: false,
      out: (more: string) => assert.fail(more),
      err: (more: string) => (text += more),
    }
    assert.equal(await runCommand(['completion', 'tcsh'], io), 1)
    assert.equal(await runCommand(['completion'], io), 1)
    assert.equal(text, 'completion takes one of bash, zsh, fish.\n'.repeat(2))
  })
})
