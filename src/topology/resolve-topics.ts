import { expandBraces } from './brace-expansion.ts'
import type {
  EnvironmentEntry,
  Named,
  RetryPolicyEntry,
  TopicEntry,
  TopologyDocument,
} from './document.ts'
import { retentionMs } from './duration.ts'
import type { DocumentPath, Report } from './finding.ts'
import type { ResolvedTopic } from './resolved-topology.ts'
import { settle } from './topic-settings.ts'
import { substitute, type Variables } from './variables.ts'

const defaultRetrySuffix = '.retry'
const defaultDeadLetterSuffix = '.dlq'

/** All topics of a document whose texts are without variables: the declared ones, and the retry and dead-letter topics that their policies ask for. */
export function resolveTopics(
  document: Omit<TopologyDocument, 'cluster' | 'environments'>,
  environment: string | undefined,
  variables: Variables,
  environmentEntry: EnvironmentEntry | undefined,
  report: Report,
): ResolvedTopic[] {
  const topics = new Map<string, ResolvedTopic>()
  for (const [key, entry] of Object.entries(document.topics)) {
    const path = ['topics', key]
    for (const name of namesOf(key, path, variables, report)) {
      const topic = declaredTopic(name, entry ?? {}, path)
      add(topic)
      if (entry?.retry !== undefined) derivedTopics(topic, entry.retry, path).forEach(add)
    }
  }
  return [...topics.values()]
    .map((topic) => (topics.has(topic.source ?? '') ? topic : { ...topic, source: undefined }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))

  function add(topic: ResolvedTopic): void {
    if (topics.has(topic.name)) {
      const message = `The topic "${topic.name}" is there twice; remove one, or the retry policy that makes it.`
      report({ check: 'reference', severity: 'error', message, path: topic.declaredAt })
    } else topics.set(topic.name, topic)
  }

  function declaredTopic(name: string, entry: TopicEntry, path: DocumentPath): ResolvedTopic {
    const { external = false, role, retry } = entry
    for (const list of ['by', 'to'] as const) {
      checkComponents(entry[list] ?? [], [...path, list])
    }
    const { kind, source } = kindOf(name, document)
    return {
      name,
      kind: role ?? kind,
      source: role ? undefined : source,
      ...settle(
        [
          { settings: document.defaults, path: ['defaults'] },
          { settings: environmentEntry, path: ['environments', environment ?? ''] },
          { settings: entry, path },
        ],
        report,
      ),
      producers: entry.by ?? [],
      consumers: entry.to ?? [],
      hasExternalProducer: external === true || external === 'producer',
      hasExternalConsumer: external === true || external === 'consumer',
      content: entry.content,
      description: entry.description,
      when: entry.when,
      retryPolicy: typeof retry === 'object' ? retry.policy : retry,
      declaredAt: path,
    }
  }

  /** What consumes a topic writes to its retry and its dead-letter topic. */
  function derivedTopics(
    topic: ResolvedTopic,
    retry: NonNullable<TopicEntry['retry']>,
    path: DocumentPath,
  ): ResolvedTopic[] {
    const { policy: name, to: others } = typeof retry === 'string' ? { policy: retry } : retry
    checkComponents(others ?? [], [...path, 'retry', 'to'])
    const to = others ?? topic.consumers
    const policy = own(document.retryPolicies, name)
    if (!policy) {
      const message = `There is no retry policy "${name}"; add it to retryPolicies.`
      report({ check: 'reference', severity: 'error', message, path: [...path, 'retry'] })
      return []
    }
    const { retrySuffix = defaultRetrySuffix, deadLetterSuffix = defaultDeadLetterSuffix } =
      document.naming ?? {}
    const derived = {
      ...topic,
      source: topic.name,
      config: withoutCompaction(topic.config),
      hasExternalProducer: topic.hasExternalConsumer,
      when: undefined,
      retryPolicy: undefined,
    }
    const retryTopic: ResolvedTopic = {
      ...derived,
      name: topic.name + retrySuffix,
      kind: 'retry',
      producers: [...new Set([...topic.consumers, ...to])],
      consumers: to,
      description: `Messages of ${topic.name} that are to be tried again, by the policy "${name}".`,
    }
    if (policy.then !== 'deadLetter') return [retryTopic]
    return [
      retryTopic,
      {
        ...derived,
        name: topic.name + deadLetterSuffix,
        kind: 'deadLetter',
        config: { ...derived.config, ...deadLetterConfig(policy) },
        producers: retryTopic.producers,
        consumers: [],
        hasExternalConsumer: true,
        description: `Messages of ${topic.name} that were given up, by the policy "${name}".`,
      },
    ]
  }

  function checkComponents(components: readonly string[], path: DocumentPath): void {
    for (const [index, component] of components.entries()) {
      const [service = ''] = component.split('/')
      if (own(document.services, service)) continue
      const message = `There is no service "${service}"; add it to services.`
      report({ check: 'reference', severity: 'error', message, path: [...path, index] })
    }
  }
}

/** The names that a key stands for. */
function namesOf(key: string, path: DocumentPath, variables: Variables, report: Report): string[] {
  try {
    return expandBraces(substitute(key, path, variables, report))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    report({ check: 'L4', severity: 'error', message: `${error.message}.`, path })
    return []
  }
}

/** What a declared topic is by its suffix, and the name that the suffix is put to. */
function kindOf(
  name: string,
  { naming = {} }: Pick<TopologyDocument, 'naming'>,
): Pick<ResolvedTopic, 'kind' | 'source'> {
  const { retrySuffix = defaultRetrySuffix, deadLetterSuffix = defaultDeadLetterSuffix } = naming
  if (name.endsWith(retrySuffix)) {
    return { kind: 'retry', source: name.slice(0, -retrySuffix.length) }
  }
  if (name.endsWith(deadLetterSuffix)) {
    return { kind: 'deadLetter', source: name.slice(0, -deadLetterSuffix.length) }
  }
  return { kind: 'topic', source: undefined }
}

/** A message of any key must have its place there, and leave it after a time. */
function withoutCompaction(config: Readonly<Record<string, string>>): Record<string, string> {
  const policy = config['cleanup.policy'] ?? 'delete'
  return policy.includes('compact') ? { ...config, 'cleanup.policy': 'delete' } : { ...config }
}

function deadLetterConfig({ deadLetterRetention }: RetryPolicyEntry): Record<string, string> {
  const milliseconds =
    deadLetterRetention === undefined ? undefined : retentionMs(deadLetterRetention)
  return milliseconds === undefined ? {} : { 'retention.ms': String(milliseconds) }
}

function own<Entry>(entries: Named<Entry> | undefined, name: string): Entry | undefined {
  return entries && Object.hasOwn(entries, name) ? entries[name] : undefined
}
