import assert from 'node:assert/strict'
import { it } from 'node:test'
import { listDeadLetters, purgeDeadLetters } from '../../../src/retry/dead-letters/dead-letters.ts'
import { redriveDeadLetters } from '../../../src/retry/dead-letters/redrive.ts'
import { kafkaConnection } from '../../../src/retry/kafka-connection.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { testKafka } from '../../helpers/kafka.ts'
import { topologySource } from '../../helpers/topology.ts'
import { retrySetting, startConsumer, write } from './setting.ts'

it('a role that can read and write its topics, groups and transactional ids is enough; not to purge', async (t) => {
  const { users, bootstrapServers, saslBootstrapServers } = await testKafka()
  const setting = await retrySetting({
    policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
  })
  const { topic, lines } = setting
  const source = topologySource(`cluster: { securityProtocol: SASL_PLAINTEXT, saslMechanism: PLAIN }
principals: { alice: { user: 'User:alice', secretRef: 'env:PASSWORD' } }
roles:
  Web: { principal: alice, can: [read, write], topics: ['${topic}*'], groups: ['${topic}*'], transactionalIds: ['${topic}*'] }
${lines}`)
  const login = {
    bootstrapServers: saslBootstrapServers,
    principal: 'alice',
    variables: { PASSWORD: users['alice'] },
  }
  const topology = resolveTopology(source)
  const superUser = await connectClusterAdmin(topologySource('topics: {}'), { bootstrapServers })
  t.after(() => superUser.close())
  await superUser.createAcls(topology.acls)

  const connection = kafkaConnection(source, login)
  const { events } = await startConsumer(
    t,
    { ...setting, topology },
    () => {
      throw new Error('always')
    },
    { connection },
  )
  await write(bootstrapServers, topic, [{ value: 'x' }])
  await events.until((all) => all.of('dead').length === 1)
  const { sent } = await redriveDeadLetters(topology, topic, { connection })
  assert.equal(sent, 1)
  await events.until((all) => all.of('dead').length === 2)
  const listing = await listDeadLetters(topology, topic, { connection })
  assert.equal(listing.records, 1)
  const alice = await connectClusterAdmin(source, login)
  t.after(() => alice.close())
  await assert.rejects(purgeDeadLetters(listing, alice), /TOPIC_AUTHORIZATION_FAILED/)
  assert.equal((await listDeadLetters(topology, topic, { connection })).records, 1)
})
