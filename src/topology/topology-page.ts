import { markdownTable } from '../markdown-table.ts'
import type { TopologyDocument } from './document.ts'
import { formatRetention } from './duration.ts'
import type { ResolvedTopic, ResolvedTopology } from './resolved-topology.ts'

/** A Markdown page about a cluster: its topics with producers, consumers and content; roles; partitions and retention by environment.
 *  @param topologies the document in each environment that the page is about, one at least */
export function topologyPage(
  { metadata }: TopologyDocument,
  topologies: readonly ResolvedTopology[],
): string {
  const [first] = topologies
  if (!first) throw new RangeError('A page is about one environment at least.')
  const byName = new Map(
    topologies.flatMap(({ topics }) => topics).map((topic) => [topic.name, topic]),
  )
  const topics = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return `${[
    `# Kafka topics of ${metadata.name}`,
    ...(metadata.description === undefined ? [] : [metadata.description]),
    ...(metadata.owner === undefined ? [] : [`Owner: ${metadata.owner}`]),
    '## Topics',
    markdownTable(
      ['topic', 'producer', 'consumer'],
      topics.map((topic) => [
        code(topic.name),
        sideOf(topic, 'producer', first),
        sideOf(topic, 'consumer', first),
      ]),
    ),
    ...topics.flatMap((topic) => topicParts(topic, first)),
    ...groupParts(first),
    ...retryParts(first),
    ...roleParts(first),
    '## Settings',
    ...settingsParts(topologies),
  ].join('\n\n')}\n`
}

function topicParts(topic: ResolvedTopic, topology: ResolvedTopology): string[] {
  const { name, description, when, content } = topic
  const [format = '', structure] = content?.split(/:(.*)/s) ?? []
  const facts: (readonly [string, string | undefined])[] = [
    ['Event trigger', when],
    ['Producer', sideOf(topic, 'producer', topology)],
    ['Consumer', sideOf(topic, 'consumer', topology)],
    ['Format', format],
    ['Data structure', structure],
    ['Tried again', retryText(topic, topology)],
  ]
  return [
    `### ${code(name)}`,
    ...(description === undefined ? [] : [description]),
    facts
      .filter(([, text]) => text !== undefined && text !== '')
      .map(([title, text]) => `- ${title}: ${text}`)
      .join('\n'),
  ]
}

/** Who is on a side of a topic, by the titles of the services. */
function sideOf(
  topic: ResolvedTopic,
  side: 'producer' | 'consumer',
  { services, destinations }: ResolvedTopology,
): string {
  if (topic.kind === 'health') {
    const users = Object.entries(services).filter(([, { health }]) => health === topic.name)
    return users.map(([name, { title }]) => `${title ?? name} (health check)`).join(', ')
  }
  const components = side === 'producer' ? topic.producers : topic.consumers
  const isOutside = side === 'producer' ? topic.hasExternalProducer : topic.hasExternalConsumer
  const named = components.map((component) => {
    const [service = '', name = ''] = component.split('/')
    return `${services[service]?.title ?? service}, ${name}`
  })
  const ofFhir = destinations
    .filter(({ kafkaTopic }) => side === 'producer' && kafkaTopic === topic.name)
    .map(({ id }) => `FHIR destination ${id}`)
  return [...named, ...ofFhir, ...(isOutside ? ['outside'] : [])].join('; ') || 'nobody'
}

function retryText(
  { retryPolicy }: ResolvedTopic,
  { retryPolicies }: ResolvedTopology,
): string | undefined {
  return retryPolicy === undefined || !retryPolicies[retryPolicy]
    ? undefined
    : `by the policy "${retryPolicy}"`
}

function groupParts({ groups }: ResolvedTopology): string[] {
  if (groups.length === 0) return []
  return [
    '## Consumer groups',
    markdownTable(
      ['group', 'topics'],
      groups.map(({ name, topics }) => [code(name), topics.map(code).join(', ')]),
    ),
  ]
}

function retryParts({ retryPolicies }: ResolvedTopology): string[] {
  const policies = Object.entries(retryPolicies)
  if (policies.length === 0) return []
  return [
    '## Retry policies',
    markdownTable(
      ['policy', 'attempts', 'for at most', 'delays', 'then', 'not tried again'],
      policies.map(([name, { attempts, maxAge, delays = [], then, deadOn = [] }]) => [
        code(name),
        String(attempts ?? ''),
        maxAge ?? '',
        delays.join(', '),
        then ?? '',
        deadOn.join(', '),
      ]),
    ),
  ]
}

function roleParts({ roles, principals }: ResolvedTopology): string[] {
  const all = Object.entries(roles)
  if (all.length === 0) return []
  return [
    '## Roles',
    markdownTable(
      ['role', 'principal', 'can', 'topics', 'groups', 'transactional ids'],
      all.map(([name, { principal, can, topics = [], groups = [], transactionalIds = [] }]) => [
        code(name),
        code(principals[principal] ?? principal),
        can.join(', '),
        topics.map(code).join(', '),
        groups.map(code).join(', '),
        transactionalIds.map(code).join(', '),
      ]),
    ),
  ]
}

/** One row for all topics that share their settings in an environment; most of them are "all others". */
function settingsParts(topologies: readonly ResolvedTopology[]): string[] {
  const rows = topologies.flatMap(({ environment, topics }) =>
    withSameSettings(topics).map((same, index, all) => {
      const isRest = index === 0
      const rest = all.length === 1 ? 'all' : 'all others'
      return [
        environment ?? 'all',
        isRest ? rest : same.topics.map(({ name }) => code(name)).join(', '),
        ...settingsCells(same),
      ]
    }),
  )
  const header = ['environment', 'topics', 'partitions', 'replicas', 'retention', 'other settings']
  return [markdownTable(header, rows)]
}

interface SameSettings {
  readonly settings: ResolvedTopic
  readonly topics: readonly ResolvedTopic[]
}

/** The largest first. */
function withSameSettings(topics: readonly ResolvedTopic[]): SameSettings[] {
  const groups = new Map<string, SameSettings>()
  for (const topic of topics) {
    const key = settingsKey(topic)
    const { settings = topic, topics: others = [] } = groups.get(key) ?? {}
    groups.set(key, { settings, topics: [...others, topic] })
  }
  return [...groups.values()].toSorted((a, b) => b.topics.length - a.topics.length)
}

function settingsCells({ settings }: SameSettings): string[] {
  const { 'retention.ms': retention, ...config } = settings.config
  return [
    String(settings.partitions),
    String(settings.replicationFactor),
    retention === undefined ? 'of the broker' : formatRetention(Number(retention)),
    Object.entries(config)
      .map(([name, value]) => code(`${name}=${value}`))
      .join(', '),
  ]
}

function settingsKey({ partitions, replicationFactor, config }: ResolvedTopic): string {
  const settings = Object.entries(config).map(([name, value]) => `${name}=${value}`)
  return [partitions, replicationFactor, ...settings.toSorted()].join(' ')
}

function code(text: string): string {
  return `\`${text}\``
}
