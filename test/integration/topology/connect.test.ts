import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { ClusterAdmin } from '../../../src/topology/cluster-admin.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { testKafka } from '../../helpers/kafka.ts'
import { topologySource } from '../../helpers/topology.ts'

describe('connectClusterAdmin', () => {
  async function connected(
    t: TestContext,
    cluster: string,
    bootstrapServers: string,
    password: string,
  ): Promise<ClusterAdmin> {
    const source = topologySource(`cluster: { ${cluster} }
principals: { admin: { user: 'User:admin', secretRef: 'env:PASSWORD' } }
topics: {}`)
    const admin = await connectClusterAdmin(source, {
      bootstrapServers,
      variables: { PASSWORD: password },
    })
    t.after(() => admin.close())
    return admin
  }

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    it(`logs in with ${mechanism}, plain and over TLS`, async (t) => {
      const { users, saslBootstrapServers, saslSslBootstrapServers, certificates } =
        await testKafka()
      const password = users['admin'] ?? ''
      const plain = `securityProtocol: SASL_PLAINTEXT, saslMechanism: ${mechanism}`
      const authority = join(certificates, 'test-ca.crt')
      const secured = `securityProtocol: SASL_SSL, saslMechanism: ${mechanism}, truststore: '${authority}'`
      for (const [cluster, brokers] of [
        [plain, saslBootstrapServers],
        [secured, saslSslBootstrapServers],
      ] as const) {
        const admin = await connected(t, cluster, brokers, password)
        assert.equal((await admin.facts()).brokers, 1)
      }
    })
  }

  it('says that the brokers are not trusted', async (t) => {
    const { users, saslSslBootstrapServers } = await testKafka()
    const cluster = 'securityProtocol: SASL_SSL, saslMechanism: PLAIN'
    const admin = await connected(t, cluster, saslSslBootstrapServers, users['admin'] ?? '')
    await assert.rejects(
      admin.facts(),
      /^ClusterFailure: The cluster could not be described: .*certificate/,
    )
  })

  it('says that the password is wrong, and not which one it was', async (t) => {
    const { saslBootstrapServers } = await testKafka()
    const cluster = 'securityProtocol: SASL_PLAINTEXT, saslMechanism: PLAIN'
    const admin = await connected(t, cluster, saslBootstrapServers, 'wrong-password')
    await assert.rejects(
      admin.facts(),
      ({ message }: Error) =>
        /^The cluster could not be described: .*[Aa]uthentication failed/.test(message) &&
        !message.includes('wrong-password'),
    )
  })
})
