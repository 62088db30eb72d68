import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exitCodeRows, type CommandIo } from '../../../src/cli/command.ts'
import { commands, runCommand } from '../../../src/cli/run-command.ts'

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  let [out, err] = ['', '']
  const io: CommandIo = {
    env,
    isTerminal: false,
    out: (text) => (out += text),
    err: (text) => (err += text),
  }
  return { code: await runCommand(args, io), out, err }
}

const altinn = 'examples/altinn/altinn.yaml'
const repaired = 'examples/altinn/altinn-repaired.yaml'

describe('fhir-kafka', () => {
  it('says what it can do, and ends with 1 when it is not asked for anything', async () => {
    const { code, out } = await run(['--help'])
    assert.equal(code, 0)
    for (const { name } of commands) assert.ok(out.includes(`  ${name} `), name)
    const { code: silent, err } = await run([])
    assert.deepEqual([silent, err], [1, out])
  })

  it('says in a line that there is no such command, and which one may be meant', async () => {
    const listed = 'fhir-kafka --help lists them.\n'
    for (const [args, err] of [
      [['frobnicate'], `There is no command "frobnicate". ${listed}`],
      [['--frobnicate'], `There is no command "--frobnicate". ${listed}`],
      [
        ['destinatons', '--token', 'sesame'],
        `There is no command "destinatons". Did you mean destinations? ${listed}`,
      ],
      [['statsu', 'lab'], `There is no command "statsu lab". Did you mean status? ${listed}`],
      [
        ['topology', 'pln', 'kafka.yaml'],
        `There is no command "topology pln kafka.yaml". Did you mean topology plan? ${listed}`,
      ],
    ] as const) {
      assert.deepEqual(await run(args), { code: 1, out: '', err })
    }
    const asJson = await run(['destinatons', '--json'])
    assert.match(asJson.out, /"message": "There is no command /)
  })

  for (const { name } of commands) {
    it(`${name} --help names its options`, async () => {
      const { code, out } = await run([...name.split(' '), '--help'])
      assert.equal(code, 0)
      assert.match(out, new RegExp(`^fhir-kafka ${name} `))
      assert.match(out, /--json/)
    })
  }

  it('lists the commands of a group, and what the exit codes mean', async () => {
    const { code, out } = await run(['topology', 'dlq', '--help'])
    assert.equal(code, 0)
    const listed = out.match(/^ {2}topology dlq \w+/gm) ?? []
    assert.deepEqual(
      listed.map((line) => line.trim()),
      commands.map(({ name }) => name).filter((name) => name.startsWith('topology dlq ')),
    )
    for (const [exitCode, meaning] of exitCodeRows)
      assert.ok(out.includes(`  ${exitCode}  ${meaning}`))
    const group = await run(['topology'])
    assert.deepEqual([group.code, group.out], [1, ''])
    assert.match(group.err, /^There is no command "topology"; there are .*, topology plan, .*\.\n$/)
  })

  it('refuses values and arguments that are none', async () => {
    for (const [args, err] of [
      [
        ['redrive', 'd', '--of', 'all'],
        'There is no of "all"; there are dead-letters, undecided.\n',
      ],
      [
        ['dead-letters', 'd', '--of', 'all'],
        'There is no of "all"; there are dead-letters, undecided.\n',
      ],
      [['destinations', 'lab'], 'destinations takes options only, not lab.\n'],
      [
        ['replay', 'd'],
        'Say which events are meant: --from-event, --to-event, --from, --to, or --all.\n',
      ],
      [
        ['discard', 'd', '--of', 'undecided'],
        'Say which events are meant: --from-event, --to-event, --from, --to, --error, or --all.\n',
      ],
      [['replay', 'd', '--to-event', '0'], 'Write --to-event as a whole number, at least 1.\n'],
      [['dead-letters', 'd', '--error', ''], '--error is empty.\n'],
      [
        ['dry-run', 't', '--from', 'yesterday'],
        '--from yesterday is no time: write 2026-11-25, or 2026-11-25T14:00:00Z with its time zone.\n',
      ],
      [
        ['redrive', 'd', '--to', '2026-13-01'],
        '--to 2026-13-01 is no time: write 2026-11-25, or 2026-11-25T14:00:00Z with its time zone.\n',
      ],
      [
        ['status', 'd'],
        'Say where the FHIR server is, with --url or the environment variable FHIR_URL. The reference server is at http://127.0.0.1:8080/fhir unless it is told otherwise.\n',
      ],
    ] as const) {
      assert.deepEqual(await run(args), { code: 1, out: '', err })
    }
  })

  it('says that an address is none', async () => {
    for (const url of ['localhost:8080/fhir', '/fhir']) {
      const { code, err } = await run(['status', 'd'], { FHIR_URL: url })
      assert.equal(code, 1)
      assert.ok(err.startsWith(`${url} is no address: say where the FHIR server is, `), err)
    }
  })

  it('refuses options that a command does not have', async () => {
    const { code, err } = await run(['topology', 'verify', repaired, '--prune-acls'])
    assert.equal(code, 1)
    const help = 'fhir-kafka topology verify --help says what it takes.\n'
    assert.equal(err, `topology verify has no option --prune-acls. ${help}`)
    const close = await run(['status', 'd', '--wach'])
    assert.match(close.err, /^status has no option --wach\. Did you mean --watch\? /)
    const missing = await run(['status', 'd', '--url'])
    assert.match(
      missing.err,
      /^Option '--url <value>' argument missing\. fhir-kafka status --help /,
    )
  })

  it('refuses a file that is not there', async () => {
    const { code, err } = await run(['topology', 'validate', 'nowhere.yaml'])
    assert.deepEqual([code, err], [1, 'The file nowhere.yaml does not exist.\n'])
    const directory = await run(['topology', 'validate', 'examples'])
    assert.equal(directory.err, 'The file examples is a directory.\n')
  })
})

describe('fhir-kafka topology validate', () => {
  it('prints findings with their place and ends with 1', async () => {
    const { code, out } = await run(['topology', 'validate', altinn])
    assert.equal(code, 1)
    assert.match(
      out,
      /^examples\/altinn\/altinn\.yaml:\d+:\d+: error L3: The retry policy "order" /,
    )
    assert.match(out, /\nexamples\/altinn\/altinn\.yaml: 11 errors, 0 warnings\n$/)
  })

  it('ends with 0 when there are none, in JSON as well', async () => {
    assert.deepEqual(await run(['topology', 'validate', repaired]), {
      code: 0,
      out: `${repaired}: 0 errors, 0 warnings\n`,
      err: '',
    })
    const { out } = await run(['topology', 'validate', repaired, '--json'])
    assert.deepEqual(JSON.parse(out), { file: repaired, findings: [] })
  })

  it('compares with a page', async () => {
    const page = 'examples/altinn/published-topics.md'
    const { code, out } = await run(['topology', 'validate', altinn, '--page', page])
    assert.equal(code, 1)
    assert.equal(out.match(/error L10: /g)?.length, 4)
  })

  it('prints what is no document as any other finding', async () => {
    const path = 'fixtures/topology/syntax-doubled-key.yaml'
    assert.deepEqual(await run(['topology', 'validate', path]), {
      code: 1,
      out: `${path}:6:3: error syntax: Map keys must be unique\n${path}: 1 error, 0 warnings\n`,
      err: '',
    })
  })

  it('tells a file that is no document in JSON', async () => {
    const path = 'fixtures/topology/syntax-doubled-key.yaml'
    const { code, out } = await run(['topology', 'validate', path, '--json'])
    assert.equal(code, 1)
    const { findings } = JSON.parse(out) as { findings: { line: number }[] }
    assert.deepEqual(
      findings.map(({ line }) => line),
      [6],
    )
  })
})

describe('fhir-kafka topology acls', () => {
  it('writes the rights of one environment in the format that is asked for', async () => {
    for (const [format, pattern] of [
      [
        'kafka-acls',
        /--allow-principal 'User:notif-consumer' --operation Read --group 'altinn-notifications-' --resource-pattern-type prefixed\n/,
      ],
      ['terraform-confluent', /resource "confluent_kafka_acl"/],
      ['strimzi', /kind: KafkaUser/],
      ['json', /"principal": "User:notif-admin"/],
    ] as const) {
      const { code, out } = await run([
        'topology',
        'acls',
        repaired,
        '--env',
        'prod',
        '--format',
        format,
      ])
      assert.equal(code, 0)
      assert.match(out, pattern)
    }
  })

  it('asks for the environment, and refuses unknown formats and files with errors', async () => {
    const without = await run(['topology', 'acls', repaired])
    assert.deepEqual(
      [without.code, without.err],
      [1, 'Say for which environment: --env local | at | yt | tt | prod.\n'],
    )
    const format = await run(['topology', 'acls', repaired, '--env', 'at', '--format', 'csv'])
    assert.match(format.err, /^There is no format "csv"/)
    const faulty = await run(['topology', 'acls', altinn, '--env', 'at'])
    assert.equal(faulty.code, 1)
    assert.match(faulty.err, /error L7: The role "NotificationsConsumer"/)
  })
})

describe('fhir-kafka topology docs', () => {
  it('writes the page of a file, whatever its faults', async () => {
    const { code, out } = await run(['topology', 'docs', altinn])
    assert.equal(code, 0)
    assert.match(out, /^# Kafka topics of altinn-notifications\n/)
  })

  it('ends with 1 when a value is missing', async () => {
    const { code, err } = await run([
      'topology',
      'docs',
      'fixtures/topology/variable-without-value.yaml',
    ])
    assert.equal(code, 1)
    assert.match(err, /NOWHERE/)
  })
})

describe('commands with a cluster', () => {
  const plan = ['topology', 'plan', repaired, '--env', 'at']

  it('say which variable, secret or vault configuration is missing, and never a secret', async () => {
    const cases: readonly (readonly [NodeJS.ProcessEnv, RegExp])[] = [
      [{}, /\$\{KAFKA_BROKERS\} has no value/],
      [
        { KAFKA_BROKERS: 'localhost:1' },
        /^The secretRef of the principal needs a vault configuration/,
      ],
      [
        { KAFKA_BROKERS: 'localhost:1', VAULT_CONFIG: 'nowhere.json' },
        /^The vault configuration .* cannot be read \(ENOENT\)/,
      ],
    ]
    for (const [env, pattern] of cases) {
      const { code, err } = await run(plan, env)
      assert.equal(code, 1)
      assert.match(err, pattern)
    }
    const { err } = await run([...plan, '--principal', 'nobody'], { KAFKA_BROKERS: 'localhost:1' })
    assert.match(err, /^There is no principal "nobody" in the file/)
  })
})
