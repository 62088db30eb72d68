import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Acl } from '../../src/topology/acl.ts'
import type { ClusterAdmin, ClusterFacts, ClusterTopic } from '../../src/topology/cluster-admin.ts'
import { parseTopology, type TopologySource } from '../../src/topology/parse-topology.ts'
import { resolveTopology } from '../../src/topology/resolve-topology.ts'
import type { ResolvedTopology } from '../../src/topology/resolved-topology.ts'
import type { CleanUp } from './postgres.ts'

const root = new URL('../../', import.meta.url)

/** Path of a file of the repository. */
export function repositoryFile(path: string): string {
  return fileURLToPath(new URL(path, root))
}

export function readTopology(path: string): TopologySource {
  return parseTopology(readFileSync(new URL(path, root), 'utf8'), path)
}

const head = 'apiVersion: fhir-kafka/v1\nkind: KafkaTopology\nmetadata: { name: test }\n'

/** A document of these lines and the obligatory first three. */
export function topologySource(lines: string): TopologySource {
  return parseTopology(topologyText(lines), 'test.yaml')
}

export function topologyText(lines: string): string {
  return head + lines
}

/** Path of a file with this text, in a directory of its own that is removed after the test. */
export async function topologyFile(t: CleanUp, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'topology-'))
  t.after?.(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'topology.yaml')
  await writeFile(file, text)
  return file
}

export function topologyOf(
  lines: string,
  environment?: string,
  variables: Readonly<Record<string, string>> = {},
): ResolvedTopology {
  return resolveTopology(topologySource(lines), environment, variables)
}

/** A cluster in memory, for what needs no broker: it answers what it is told to, and refuses to change. */
export function stillCluster(state: {
  readonly facts?: ClusterFacts
  readonly topics?: readonly ClusterTopic[]
  readonly acls?: readonly Acl[]
}): ClusterAdmin {
  const { facts = { brokers: 3, transactionLogReplicas: 3 }, topics = [], acls = [] } = state
  const refuse = (): Promise<never> => Promise.reject(new Error('a still cluster does not change'))
  return {
    facts: () => Promise.resolve(facts),
    topicNames: () => Promise.resolve(topics.map(({ name }) => name)),
    describeTopics: (names) => Promise.resolve(topics.filter(({ name }) => names.includes(name))),
    createTopic: refuse,
    addPartitions: refuse,
    alterConfig: refuse,
    acls: (principal) => Promise.resolve(acls.filter((acl) => acl.principal === principal)),
    deleteRecords: refuse,
    createAcls: refuse,
    deleteAcls: refuse,
    close: () => Promise.resolve(),
  }
}
