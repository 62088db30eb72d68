import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { runCommand } from '../../../src/cli/run-command.ts'
import type { Acl } from '../../../src/topology/acl.ts'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import type { ClusterAdmin } from '../../../src/topology/cluster-admin.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { checkHealth, type HealthOptions } from '../../../src/topology/health/check-health.ts'
import { HealthProbe } from '../../../src/topology/health/health-probe.ts'
import type { ServiceHealth, TopologyHealth } from '../../../src/topology/health/topology-health.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import type { KafkaBroker } from '../../helpers/kafka.ts'
import { topologyFile, topologySource, topologyText } from '../../helpers/topology.ts'
import { altinnBroker, passwords, type User } from './credentials.ts'

/** Two services: one that consumes with a group of its own, and one that only produces. */
const lines = `cluster: { securityProtocol: SASL_PLAINTEXT, saslMechanism: PLAIN }
principals:
  admin: { user: 'User:notif-admin', secretRef: 'env:ADMIN' }
  producer: { user: 'User:notif-producer', secretRef: 'env:PRODUCER' }
  consumer: { user: 'User:notif-consumer', secretRef: 'env:CONSUMER' }
services:
  api: { groupPrefix: shop-api-, health: shop.api.health }
  web: { groupPrefix: elsewhere-, health: shop.web.health }
topics:
  shop.orders: { by: [web/Checkout], to: [api/Packing] }
  shop.{api,web}.health: { role: health }
roles:
  Consumer: { principal: consumer, can: [read], topics: [shop.*], groups: [shop-api-*] }
  Producer: { principal: producer, can: [write], topics: [shop.*] }`

const variables = {
  ADMIN: passwords['notif-admin'],
  PRODUCER: passwords['notif-producer'],
  CONSUMER: passwords['notif-consumer'],
}

describe('the health of a topology, on a broker with an authorizer', () => {
  const source = topologySource(lines)
  const topology = resolveTopology(source)
  let broker: KafkaBroker
  let superUser: ClusterAdmin

  before(async () => {
    broker = await altinnBroker()
    superUser = await connectClusterAdmin(topologySource('topics: {}'), {
      bootstrapServers: broker.bootstrapServers,
    })
    await applyTopology(topology, superUser)
    // The first group waits for a topic of Kafka's own.
    await untilHealth(({ isHealthy }) => isHealthy)
  })

  after(async () => {
    await superUser.close()
    await broker.stop()
  })

  async function check(options: HealthOptions = {}): Promise<TopologyHealth> {
    return checkHealth(source, {
      bootstrapServers: broker.saslBootstrapServers,
      variables,
      ...options,
    })
  }

  /** Brokers follow the controller a little later. */
  async function untilHealth(
    isWanted: (health: TopologyHealth) => boolean,
    options: HealthOptions = {},
  ): Promise<TopologyHealth> {
    for (let attempt = 1; ; attempt++) {
      const health = await check(options)
      if (isWanted(health)) return health
      if (attempt === 20) assert.fail(`the health stays ${JSON.stringify(health)}`)
    }
  }

  async function untilFailed(service: string, options: HealthOptions = {}): Promise<string> {
    const { services } = await untilHealth(
      (health) => health.services.some((one) => one.service === service && !one.isHealthy),
      options,
    )
    return said(services.find((one) => one.service === service))
  }

  function said(health: ServiceHealth | undefined): string {
    if (!health || health.isHealthy) return 'healthy'
    return `${health.side} ${health.principal}: ${health.cause}`
  }

  /** Runs the work while a right of a principal is revoked, and waits for health afterwards. */
  async function without(
    user: User,
    isMeant: (acl: Acl) => boolean,
    work: () => Promise<void>,
  ): Promise<void> {
    const acls = (await superUser.acls(`User:${user}`)).filter(isMeant)
    assert.notEqual(acls.length, 0)
    await superUser.deleteAcls(acls)
    try {
      await work()
    } finally {
      await superUser.createAcls(acls)
    }
    await untilHealth(({ isHealthy }) => isHealthy)
  }

  it('is a record of each service, written by one principal and read by the other from where it is', async () => {
    const first = await check()
    assert.equal(first.isHealthy, true)
    assert.deepEqual(
      first.services.map(({ service, kafkaTopic }) => `${service} ${kafkaTopic}`),
      ['api shop.api.health', 'web shop.web.health'],
    )
    const second = await check({ services: ['api'] })
    const offsets = [first, second].map(({ services: [api] }) => api?.isHealthy && api.offset)
    assert.equal(Number(offsets[1]), Number(offsets[0]) + 1)
    assert.equal(second.services.length, 1)
  })

  it('joins no consumer group', async () => {
    const admin = new Admin({ clientId: 'groups', bootstrapBrokers: [broker.bootstrapServers] })
    try {
      assert.deepEqual([...(await admin.listGroups()).keys()], [])
    } finally {
      await admin.close()
    }
  })

  it('fails when the producer may no longer write, and not after', async () => {
    await without(
      'notif-producer',
      () => true,
      async () => {
        assert.equal(
          await untilFailed('api'),
          'producer User:notif-producer: Topic authorization failed: the Kafka principal may not write to Kafka topic "shop.api.health"; it needs Write and Describe.',
        )
      },
    )
  })

  it('fails when the consumer may no longer read, and not after', async () => {
    for (const operations of [['READ'], ['READ', 'DESCRIBE']]) {
      await without(
        'notif-consumer',
        ({ resourceType, operation }) => resourceType === 'TOPIC' && operations.includes(operation),
        async () => {
          assert.equal(
            await untilFailed('web', { deadlineMs: 2000 }),
            'consumer User:notif-consumer: Topic authorization failed: the Kafka principal may not read Kafka topic "shop.web.health"; it needs Read and Describe.',
          )
        },
      )
    }
  })

  it('fails when the consumer may no longer use the group of the service; one without a group needs none', async () => {
    await without(
      'notif-consumer',
      ({ resourceType }) => resourceType === 'GROUP',
      async () => {
        assert.equal(
          await untilFailed('api'),
          'consumer User:notif-consumer: Group authorization failed: the Kafka principal may not read with the consumer group "shop-api-packing"; it needs Read on it.',
        )
        assert.equal(said((await check({ services: ['web'] })).services[0]), 'healthy')
      },
    )
  })

  it('fails for the side whose password is wrong, and never says which one it was', async () => {
    const wrong = { ...variables, CONSUMER: 'wrong-secret' }
    const { services } = await check({ variables: wrong, services: ['web'] })
    assert.match(
      said(services[0]),
      /^consumer User:notif-consumer: Kafka broker 127\.0\.0\.1:\d+ refused the login: /,
    )
    assert.doesNotMatch(JSON.stringify(services), /wrong-secret/)
  })

  it('says that the topic does not exist', async () => {
    const missing = topologySource(
      lines
        .replaceAll('shop.{api,web}.health', 'shop.{api,web,x}.health')
        .replace('health: shop.web.health', 'health: shop.x.health'),
    )
    const { services } = await checkHealth(missing, {
      bootstrapServers: broker.saslBootstrapServers,
      variables,
      services: ['web'],
    })
    assert.match(
      said(services[0]),
      /^producer User:notif-producer: Unknown topic: Kafka topic "shop\.x\.health" does not exist/,
    )
  })

  it('fails within its deadline when the broker does not answer, with the same cause for all', async () => {
    broker.pause()
    try {
      const { services } = await check({ deadlineMs: 2000 })
      for (const health of services)
        assert.match(
          said(health),
          /^producer User:notif-producer: .*(?:does not answer|did not answer|can be reached)/,
        )
    } finally {
      broker.resume()
    }
    await untilHealth(({ isHealthy }) => isHealthy)
  })

  it('fails when the broker is stopped, and not when it is back', async () => {
    await broker.kill()
    const { isHealthy, services } = await check({ deadlineMs: 2000 })
    assert.equal(isHealthy, false)
    for (const health of services) {
      assert.match(
        said(health),
        /^producer User:notif-producer: Kafka broker 127\.0\.0\.1:\d+ cannot be reached: Connection refused\.$/,
      )
    }
    await broker.start()
    await untilHealth((health) => health.isHealthy)
  })

  it('looks once for all who ask at the same time, and again when what was found is old', async () => {
    let nowMs = 0
    const probe = new HealthProbe(
      source,
      {
        bootstrapServers: broker.saslBootstrapServers,
        variables,
        services: ['web'],
        maxAgeMs: 100,
      },
      () => nowMs,
    )
    const offset = ({ services: [web] }: TopologyHealth): number =>
      web?.isHealthy ? web.offset : -1
    const [first = -1, ...others] = (
      await Promise.all(Array.from({ length: 10 }, () => probe.check()))
    ).map(offset)
    assert.notEqual(first, -1)
    nowMs = 99
    others.push(offset(await probe.check()))
    assert.deepEqual(new Set(others), new Set([first]))
    nowMs = 100
    assert.equal(offset(await probe.check()), first + 1)
    await probe.close()
  })

  it('is printed by the command, which ends with 0, 2 or 1', async (t) => {
    const file = await topologyFile(t, topologyText(lines))
    const run = async (env: NodeJS.ProcessEnv, ...options: string[]): Promise<[number, string]> => {
      let text = ''
      const code = await runCommand(
        [
          ...['topology', 'health', file, '--bootstrap-servers', broker.saslBootstrapServers],
          ...options,
        ],
        { env, isTerminal: false, out: (part) => (text += part), err: (part) => (text += part) },
      )
      return [code, text]
    }
    const [healthy, text] = await run(variables)
    assert.equal(healthy, 0, text)
    assert.match(
      text,
      /^healthy api: shop\.api\.health, \d+ ms\nhealthy web: shop\.web\.health, \d+ ms\n$/,
    )
    const [failed, json] = await run(
      { ...variables, PRODUCER: 'wrong-secret' },
      ...['--service', 'web', '--json', '--deadline-ms', '2000'],
    )
    assert.equal(failed, 2, json)
    const { isHealthy, services } = JSON.parse(json) as TopologyHealth
    assert.equal(isHealthy, false)
    assert.match(said(services[0]), /^producer User:notif-producer: .* refused the login/)
    assert.doesNotMatch(json, /wrong-secret/)
    for (const [options, pattern] of [
      [['--service', 'mail'], /^There is no service "mail"; it is one of api, web\.\n$/],
      [['--deadline-ms', 'soon'], /^The deadline must be a whole number of milliseconds/],
    ] as const) {
      const [code, answer] = await run(variables, ...options)
      assert.equal(code, 1)
      assert.match(answer, pattern)
    }
    const [unset, why] = await run({ ...variables, CONSUMER: '' })
    assert.deepEqual([unset, why], [1, 'The variable CONSUMER of a secretRef is not set.\n'])
  })
})
