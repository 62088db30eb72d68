import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  formatFinding,
  TopologyError,
  topologyChecks,
  type LocatedFinding,
} from '../../../src/topology/finding.ts'
import { validateTopology, type ValidateOptions } from '../../../src/topology/validate-topology.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { readTopology, repositoryFile, topologySource } from '../../helpers/topology.ts'

/** What is found in a file, whether it can be read as a document or not. */
function findingsIn(path: string): readonly LocatedFinding[] {
  try {
    return validateTopology(readTopology(path), { variables: {}, page: pageBeside(path) }).findings
  } catch (error) {
    if (error instanceof TopologyError) return error.findings
    throw error
  }
}

/** A page about the topics, for the files that are compared with one. */
function pageBeside(path: string): ValidateOptions['page'] {
  const file = path.replace(/yaml$/, 'md')
  const place = repositoryFile(file)
  return existsSync(place) ? { file, text: readFileSync(place, 'utf8') } : undefined
}

/** Files of fixtures/topology with the one finding in each, as it is printed behind the name of the file. */
const findingOf: Readonly<Record<string, string | undefined>> = {
  'in-line.yaml': undefined,
  'L1-retry-without-consumer.yaml':
    '7:3: error L1: Nobody consumes the retry topic "orders.retry": what fails stays there until it expires. Name its consumer with to, or give the topic of "orders" a retry policy.',
  'L2-without-producer.yaml':
    '6:3: error L2: Nobody produces to "orders"; name the producer with by, say external: producer, or remove the topic.',
  'L2-without-consumer.yaml':
    '6:3: error L2: Nobody consumes "orders"; name the consumer with to, say external: consumer, or remove the topic.',
  'L2-health-of-nobody.yaml':
    '6:3: error L2: No service has the health topic "health"; name it as health of a service, or remove it.',
  'L3-hot-loop.yaml':
    '5:3: error L3: The retry policy "hot" does not wait: a message that fails goes round as fast as it can. Give it delays, as in [5s, 1m].',
  'L3-without-end.yaml':
    '5:3: error L3: The retry policy "endless" never ends; give it attempts or maxAge.',
  'L3-without-end-state.yaml':
    '5:3: error L3: The retry policy "careless" does not say what becomes of a message that is given up; write then: deadLetter, external or drop.',
  'L3-drop.yaml':
    '5:3: warning L3: The retry policy "careless" loses every message that is given up; then: deadLetter keeps it.',
  'L3-unused-delays.yaml':
    '5:3: warning L3: The retry policy "short" has 2 delays for 1 attempts; the last ones are never used.',
  'L3-shared-partitions.yaml':
    '9:3: warning L3: "orders.retry" has 2 partitions for the 3 lengths of delay of the retry policy "calm": a message that is due can stand behind one that waits for longer. Raise partitions to 3, or give the policy fewer lengths.',
  'L3-deleted-while-waiting.yaml':
    '9:3: error L3: "orders.retry" keeps messages for 1h, and the retry policy "patient" has them wait there for up to 2h: Kafka deletes them first. Keep the topic for longer, or shorten the delays.',
  'L4-prefix.yaml':
    '6:3: error L4: "orders" starts with none of the prefixes of naming.allow (shop.); rename it, or allow its prefix.',
  'L4-trailing-space.yaml':
    '5:3: error L4: The name "orders " has a blank at its start or end; remove it.',
  'L4-characters.yaml':
    '5:3: error L4: "orders/new" is no name that Kafka takes: 1 to 249 letters, digits, ".", "_" and "-", and not "." or "..".',
  'L4-collision.yaml':
    '6:3: error L4: "shop_orders" and "shop.orders" differ in "." and "_" alone, which Kafka refuses; rename one.',
  'L4-open-brace.yaml': '5:3: error L4: "orders.{new,old" never closes its brace.',
  'L5-more-instances-than-partitions.yaml':
    '6:3: warning L5: "orders" has 4 partitions for up to 6 instances of the service "shop": 2 of them get nothing. Raise partitions to 6.',
  'L5-one-group.yaml':
    '6:3: error L5: "shop/Packing" and "store/packing" are one consumer group, "shop-packing": a message goes to one of them alone. Give their services other prefixes, or one of them another name.',
  'L6-more-replicas-than-brokers.yaml':
    '6:3: error L6: "orders" asks for 3 replicas of 1 brokers; lower replicationFactor, or set it for the environment.',
  'L6-never-in-sync.yaml':
    '5:3: error L6: "orders" asks for 2 in-sync replicas and has 1: nothing with acks=all can ever be written. Lower min.insync.replicas.',
  'L6-all-in-sync.yaml':
    '5:3: warning L6: "orders" needs all of its 3 replicas in sync: one broker that is down stops every write. Set min.insync.replicas to 2.',
  'L7-read-without-groups.yaml':
    '8:3: error L7: The role "Reader" may read topics, but with no consumer group, and Kafka lets nobody read without one. Give it groups, as in ["my-service-*"].',
  'L7-role-without-topics.yaml': '8:3: error L7: The role "Writer" has no topics; give it some.',
  'L7-group-outside.yaml':
    '5:13: error L7: No role may read "orders" with the group "shop-packing"; add the group and the topic to one that can read.',
  'L7-nobody-may-write.yaml':
    '7:3: error L7: No role may write to "orders", and shop/Checkout does; add the topic to one that can write.',
  'L8-secret-literal.yaml':
    '5:34: error L8: secretRef is the name of a secret, or env:<variable>; this looks like the secret itself. Keep the secret in the environment or in a vault file, and refer to it with secretRef.',
  'L8-password.yaml':
    '5:34: error L8: "password" looks like a secret in plain text. Keep the secret in the environment or in a vault file, and refer to it with secretRef.',
  'L8-jaas.yaml':
    '5:19: error L8: "LOGIN" holds what looks like a secret. Keep the secret in the environment or in a vault file, and refer to it with secretRef.',
  'L9-short-dead-letters.yaml':
    '8:3: error L9: The dead-letter topic "orders.dlq" keeps messages for 1d, the topic they come from for 7d; keep dead letters at least as long.',
  'L9-declared-dead-letters.yaml':
    '6:3: error L9: The dead-letter topic "orders.dlq" keeps messages for 365d, the topic they come from for unlimited; keep dead letters at least as long.',
  'L10-undocumented.yaml':
    '7:3: error L10: "shop.returns" is not on the page fixtures/topology/L10-undocumented.md; write the page anew with topology docs.',
  'syntax-doubled-key.yaml': '6:3: error syntax: Map keys must be unique',
  'syntax-lost-alias.yaml':
    '6:12: error syntax: The alias *theirs is of no anchor before it; write &theirs there.',
  'syntax-two-documents.yaml':
    '5:1: error syntax: A file holds one document; remove what follows on "---".',
  'schema-key-with-space.yaml':
    '5:13: error schema: "topics/orders/external " is not known here; write "external".',
  'schema-retention.yaml':
    '5:39: error schema: "topics/orders/config/retention" must be a number and its unit (ms, s, m, h, d or w), as in 7d, or unlimited.',
  'schema-inexact-number.yaml':
    '5:39: error schema: "flush.messages" is too large to be read as a number exactly; write it in quotes.',
  'schema-lone-star.yaml':
    '7:54: error schema: "roles/Reader/topics/0" must be a name, or a prefix and one * at its end; * alone would be everything on the cluster.',
  'variable-without-value.yaml':
    "5:39: error variable: ${NOWHERE} has no value; add it to the environment's vars, or set it for the process.",
  'reference-unknown-service.yaml':
    '5:38: error reference: There is no service "shop"; add it to services.',
  'reference-unknown-principal.yaml':
    '5:47: error reference: There is no principal "nobody"; add it to principals.',
  'reference-unknown-policy.yaml':
    '5:29: error reference: There is no retry policy "calm"; add it to retryPolicies.',
  'reference-destination-outside.yaml':
    '7:27: error reference: The Kafka topic "orders" is not in the file; add it to topics.',
  'reference-destination-of-nobody.yaml':
    '7:18: error reference: Whose rights the destination "d" has cannot be told, because no role may write to "orders"; name its principal.',
  'reference-doubled-topic.yaml':
    '9:3: error reference: The topic "orders.retry" is there twice; remove one, or the retry policy that makes it.',
  'reference-unknown-health-topic.yaml':
    '4:41: error reference: The health topic "shop.health" of the service "shop" is not in the file; add it to topics with role: health.',
}

describe('validateTopology', () => {
  for (const [name, expected] of Object.entries(findingOf)) {
    it(expected === undefined ? `finds nothing in ${name}` : `finds one fault in ${name}`, () => {
      const path = `fixtures/topology/${name}`
      const found = findingsIn(path).map(formatFinding)
      assert.deepEqual(found, expected === undefined ? [] : [`${path}:${expected}`])
    })
  }

  it('is tried on every file of fixtures/topology', () => {
    const files = readdirSync(repositoryFile('fixtures/topology'))
    assert.deepEqual(
      files.filter((file) => file.endsWith('.yaml')).toSorted(),
      Object.keys(findingOf).toSorted(),
    )
  })

  it('has a file for every check that needs no cluster', () => {
    const tripped = new Set(Object.keys(findingOf).map((file) => file.split('-')[0]))
    const untripped = Object.keys(topologyChecks).filter((check) => !tripped.has(check))
    assert.deepEqual(untripped, ['V11', 'V12'])
  })

  it('never repeats a secret', () => {
    for (const name of Object.keys(findingOf).filter((file) => file.startsWith('L8'))) {
      const text = readFileSync(repositoryFile(`fixtures/topology/${name}`), 'utf8')
      assert.match(text, /hunter2/)
      for (const finding of findingsIn(`fixtures/topology/${name}`)) {
        assert.doesNotMatch(JSON.stringify(finding), /hunter2/)
      }
    }
  })

  it('says in which environments something is wrong, when it is not in all of them', () => {
    const source = topologySource(`environments: { local: { replicationFactor: 1 }, prod: {} }
defaults: { replicationFactor: 3, config: { min.insync.replicas: 2 } }
topics: { orders: { external: true } }`)
    const [finding, ...others] = validateTopology(source).findings
    assert.match(finding?.message ?? '', /acks=all can ever be written.* \(in local\)$/)
    assert.deepEqual(others, [])
    assert.deepEqual(validateTopology(source, { environment: 'prod' }).findings, [])
  })

  it('refuses an environment that is not in the file', () => {
    const source = topologySource(
      "environments: { local: { vars: { NAME: x } } }\ntopics: { '${NAME}': {} }",
    )
    const { findings } = validateTopology(source, { environment: 'prod', variables: {} })
    assert.deepEqual(
      findings.map(({ message }) => message),
      ['There is no environment "prod": it is one of local.'],
    )
    assert.throws(() => resolveTopology(source, undefined, {}), {
      message: /An environment is needed: it is one of local\.$/,
    })
  })

  describe('L10, against a page', () => {
    const source = topologySource(`naming: { allow: [shop.] }
services: { shop: { groupPrefix: shop. } }
topics:
  shop.orders: { external: producer, to: [shop/Packing] }
  shop.imports: { external: true }`)
    const cases = [
      { text: 'shop.orders and shop.imports, of all shop.*. Group shop.packing', found: [] },
      { text: '`shop.imports`', found: [/^"shop.orders" is not on the page page.md; /] },
      {
        text: 'shop.orders shop.imports shop.returns.',
        found: [/^The page page.md names "shop.returns", which is not in the file; /],
      },
    ]
    for (const { text, found } of cases) {
      it(`"${text}"`, () => {
        const page = { file: 'page.md', text }
        const { findings } = validateTopology(source, { page })
        assert.equal(findings.length, found.length)
        for (const [index, pattern] of found.entries()) {
          assert.equal(findings[index]?.check, 'L10')
          assert.match(findings[index].message, pattern)
        }
      })
    }
  })
})
