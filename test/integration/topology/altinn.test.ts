import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import type { Acl } from '../../../src/topology/acl.ts'
import type { ClusterAdmin } from '../../../src/topology/cluster-admin.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import type { TopologyDocument } from '../../../src/topology/document.ts'
import { parse } from 'yaml'
import type { KafkaBroker } from '../../helpers/kafka.ts'
import { repositoryFile, topologySource } from '../../helpers/topology.ts'
import { altinnBroker, passwords } from './credentials.ts'

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The repaired file of the example, on a broker of its own: applied by its own administrator, who has been let in by a super user. */
describe('fhir-kafka on examples/altinn/altinn-repaired.yaml', () => {
  let broker: KafkaBroker
  let superUser: ClusterAdmin
  let directory: string
  let file: string

  before(async () => {
    broker = await altinnBroker()
    directory = await mkdtemp(join(tmpdir(), 'topology-altinn-'))
    file = await localCopy()
    superUser = await connectClusterAdmin(topologySource('topics: {}'), {
      bootstrapServers: broker.bootstrapServers,
    })
    // All that the administrator has not got from the file itself.
    await superUser.createAcls(clusterRights)
  })

  after(async () => {
    await superUser.close()
    await broker.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const clusterRights = (['DESCRIBE', 'ALTER', 'DESCRIBE_CONFIGS'] as const).map(
    (operation): Acl => ({
      principal: 'User:notif-admin',
      host: '*',
      permission: 'ALLOW',
      operation,
      resourceType: 'CLUSTER',
      patternType: 'LITERAL',
      resourceName: 'kafka-cluster',
    }),
  )

  /** The example as it is, but for a cluster without TLS and the right to alter ACLs, which the example leaves to the owner of the cluster. */
  async function localCopy(): Promise<string> {
    const document = parse(
      await readFile(repositoryFile('examples/altinn/altinn-repaired.yaml'), 'utf8'),
    ) as TopologyDocument
    const changed = {
      ...document,
      cluster: { ...document.cluster, securityProtocol: 'SASL_PLAINTEXT' },
      roles: { ...document.roles, Acls: { principal: 'admin', can: ['manageAcls'] } },
    }
    const path = join(directory, 'topology.json')
    await writeFile(path, JSON.stringify(changed))
    return path
  }

  async function fhirKafka(...args: string[]): Promise<Ended> {
    const vault = join(directory, 'vault.json')
    const secret = Object.fromEntries(
      Object.keys(passwords).map((user) => [
        user.replace('notif', 'kafka'),
        { path: user, scope: { resource_type: 'KafkaTopology', id: 'altinn-notifications' } },
      ]),
    )
    await writeFile(vault, JSON.stringify({ secret }))
    for (const [user, password] of Object.entries(passwords)) {
      await writeFile(join(directory, user), `${password}\n`)
    }
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'src/cli/main.ts', 'topology', ...args, '--env', 'local'],
      {
        cwd: repositoryFile('.'),
        env: { ...process.env, KAFKA_BROKERS: broker.saslBootstrapServers, VAULT_CONFIG: vault },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const exit = once(child, 'exit') as Promise<[number]>
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = await exit
    // Whatever happens, no output shows a password.
    for (const password of Object.values(passwords)) assert.ok(!(out + err).includes(password))
    return { code, out, err }
  }

  it('verify finds everything missing on an empty cluster, and changes nothing', async () => {
    const { code, out } = await fhirKafka('verify', file)
    assert.equal(code, 2)
    assert.equal(out.match(/^\+ topic /gm)?.length, 22)
    assert.deepEqual(await superUser.topicNames(), [])
  })

  it('apply makes it so, verify is in line then, and apply has nothing to do', async () => {
    const applied = await fhirKafka('apply', file, '--prune-acls')
    assert.equal(applied.code, 0, applied.err)
    assert.match(applied.out, / applied, 0 left\n$/)
    assert.deepEqual(await fhirKafka('verify', file), {
      code: 0,
      out: 'The cluster is as the file says.\n',
      err: '',
    })
    const [pastDue] = await superUser.describeTopics(['altinn.notifications.orders.pastdue'])
    assert.deepEqual(
      [pastDue?.partitions, pastDue?.replicationFactor, pastDue?.config['retention.ms']],
      [6, 1, '86400000'],
    )
    const again = await fhirKafka('apply', file)
    assert.deepEqual([again.code, again.out], [0, '0 applied, 0 left\n'])
  })

  it('verify shows exactly what was changed behind its back, and apply takes it back', async () => {
    const topic = 'altinn.notifications.sms.queue'
    await superUser.alterConfig(topic, { 'retention.ms': '60000' })
    const [right] = (await superUser.acls('User:notif-consumer')).filter(
      ({ operation, resourceName }) =>
        operation === 'READ' && resourceName === 'altinn.notifications.',
    )
    assert.ok(right)
    await superUser.deleteAcls([right])
    const lines = [
      '+ acl User:notif-consumer ALLOW READ on TOPIC PREFIXED altinn.notifications.',
      `~ topic ${topic}: retention.ms 60000 (1m) -> 86400000 (1d)`,
    ]
    const drift = await fhirKafka('verify', file)
    assert.deepEqual([drift.code, drift.out.trim().split('\n')], [2, lines])
    const machine = JSON.parse((await fhirKafka('verify', file, '--json')).out) as {
      lines: { check: string; action: string }[]
    }
    assert.deepEqual(
      machine.lines.map(({ check, action }) => `${check} ${action}`),
      ['V12 add-acl', 'V11 alter-config'],
    )
    const repaired = await fhirKafka('apply', file)
    assert.deepEqual(
      [repaired.code, repaired.out.trim().split('\n')],
      [0, [...lines, '2 applied, 0 left']],
    )
    assert.equal((await fhirKafka('verify', file)).code, 0)
  })

  it('apply leaves alone what could lose something, and says so with 2', async () => {
    const topic = 'altinn.notifications.sms.queue'
    const foreign = 'altinn.notifications.forgotten'
    await superUser.alterConfig(topic, { 'retention.ms': '-1' })
    await superUser.createTopic({ name: foreign, partitions: 1, replicationFactor: 1, config: {} })
    const tooMuch: Acl = {
      principal: 'User:notif-consumer',
      host: '*',
      permission: 'ALLOW',
      operation: 'WRITE',
      resourceType: 'TOPIC',
      patternType: 'PREFIXED',
      resourceName: 'altinn.',
    }
    await superUser.createAcls([tooMuch])
    const { code, out } = await fhirKafka('apply', file)
    assert.equal(code, 2)
    assert.match(
      out,
      /^Left as it is:\n.* \[blocked: .*\n.* \[blocked: .*\n.* \[blocked: .*\n0 applied, 3 left\n$/,
    )
    const [live] = await superUser.describeTopics([topic])
    assert.equal(live?.config['retention.ms'], '-1')

    const allowed = await fhirKafka('apply', file, '--allow-shorter-retention', '--prune-acls')
    assert.equal(allowed.code, 2)
    assert.match(allowed.out, /2 applied, 1 left\n$/)
    assert.ok((await superUser.topicNames()).includes(foreign))
  })

  it('apply adds partitions when it is allowed to', async () => {
    const document = JSON.parse(await readFile(file, 'utf8')) as TopologyDocument
    const topics = {
      ...document.topics,
      'altinn.platform.service.updated': {
        ...document.topics['altinn.platform.service.updated'],
        partitions: 8,
      },
    }
    const wider = join(directory, 'wider.json')
    const naming = { ...document.naming, ignore: ['altinn.'] }
    await writeFile(wider, JSON.stringify({ ...document, topics, naming }))
    const blocked = await fhirKafka('apply', wider)
    assert.deepEqual([blocked.code, /partitions 6 -> 8 \[blocked/.test(blocked.out)], [2, true])
    const { code } = await fhirKafka('apply', wider, '--allow-partition-increase')
    assert.equal(code, 0)
    const [live] = await superUser.describeTopics(['altinn.platform.service.updated'])
    assert.equal(live?.partitions, 8)
  })

  it('says which right is missing', async () => {
    const { code, err } = await fhirKafka('plan', file, '--principal', 'consumer')
    assert.equal(code, 1)
    assert.match(err, /needs DescribeConfigs on them\): TOPIC_AUTHORIZATION_FAILED/)
  })
})
