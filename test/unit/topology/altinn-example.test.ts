import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { topologyPage } from '../../../src/topology/topology-page.ts'
import { validateTopology } from '../../../src/topology/validate-topology.ts'
import { readTopology, repositoryFile } from '../../helpers/topology.ts'

/** Every topic in the code of Altinn Notifications. */
const altinnTopics = [
  'altinn.notifications.email.health.check',
  'altinn.notifications.email.queue',
  'altinn.notifications.email.queue.retry',
  'altinn.notifications.email.sending.accepted',
  'altinn.notifications.email.sending.accepted.retry',
  'altinn.notifications.email.status.updated',
  'altinn.notifications.email.status.updated.retry',
  'altinn.notifications.health.check',
  'altinn.notifications.orders.pastdue',
  'altinn.notifications.orders.pastdue.retry',
  'altinn.notifications.sms.health.check',
  'altinn.notifications.sms.queue',
  'altinn.notifications.sms.queue.retry',
  'altinn.notifications.sms.status.updated',
  'altinn.notifications.sms.status.updated.retry',
  'altinn.platform.service.updated',
]

const asItIs = readTopology('examples/altinn/altinn.yaml')
const repaired = readTopology('examples/altinn/altinn-repaired.yaml')

/** Check and topic, role or policy of each finding. */
function found(source: typeof asItIs, page?: string): string[] {
  const text = page === undefined ? '' : readFileSync(repositoryFile(page), 'utf8')
  const { findings } = validateTopology(
    source,
    page === undefined ? {} : { page: { file: page, text } },
  )
  return findings
    .map(({ check, message }) => `${check} ${/"([^"]*)"/.exec(message)?.[1]}`)
    .toSorted()
}

describe('examples/altinn', () => {
  it('has all topics of the code', () => {
    const names = resolveTopology(asItIs, 'prod').topics.map(({ name }) => name)
    assert.deepEqual(names, altinnTopics)
  })

  it('has what is wrong with them', () => {
    assert.deepEqual(found(asItIs), [
      'L1 altinn.notifications.email.queue.retry',
      'L1 altinn.notifications.email.sending.accepted.retry',
      'L1 altinn.notifications.sms.queue.retry',
      'L2 altinn.notifications.email.health.check',
      'L2 altinn.notifications.email.sending.accepted.retry',
      'L2 altinn.notifications.health.check',
      'L2 altinn.notifications.sms.health.check',
      'L2 altinn.notifications.sms.health.check',
      'L3 order',
      'L3 status',
      'L7 NotificationsConsumer',
    ])
  })

  it('has the topics that the published page does not name', () => {
    const ofPage = found(asItIs, 'examples/altinn/published-topics.md').filter((line) =>
      line.startsWith('L10'),
    )
    assert.deepEqual(ofPage, [
      'L10 altinn.notifications.email.sending.accepted.retry',
      'L10 altinn.notifications.email.status.updated.retry',
      'L10 altinn.notifications.sms.health.check',
      'L10 altinn.notifications.sms.status.updated.retry',
    ])
  })

  it('is repaired with the same topics and a dead-letter topic for each policy', () => {
    assert.deepEqual(found(repaired), [])
    const names = resolveTopology(repaired, 'prod').topics.map(({ name }) => name)
    assert.deepEqual(
      names.filter((name) => !name.endsWith('.dlq')),
      altinnTopics,
    )
    assert.equal(names.length, altinnTopics.length + 6)
  })

  it('makes a page that names all topics, and that validate finds whole', () => {
    for (const source of [asItIs, repaired]) {
      const { topologies } = validateTopology(source)
      const page = topologyPage(source.document, topologies)
      for (const name of altinnTopics) assert.ok(page.includes(`### \`${name}\`\n`), name)
      const { findings } = validateTopology(source, { page: { file: 'page.md', text: page } })
      assert.deepEqual(
        findings.filter(({ check }) => check === 'L10'),
        [],
      )
    }
  })

  it('names the FHIR destination among the producers', () => {
    const page = topologyPage(repaired.document, validateTopology(repaired).topologies)
    assert.match(
      page,
      /- Producer: Altinn Notifications, OrderProcessingService; FHIR destination completed-questionnaires\n/,
    )
  })

  it('makes a page with what the published one says', () => {
    const page = topologyPage(asItIs.document, validateTopology(asItIs).topologies)
    const entry = page.slice(page.indexOf('### `altinn.notifications.email.sending.accepted`'))
    assert.equal(
      entry.slice(0, entry.indexOf('\n\n###')),
      `### \`altinn.notifications.email.sending.accepted\`

Send operation identifiers for emails that have been accepted by Azure Communication Services.

- Event trigger: The system would like an update on the status of an email that was accepted by Azure Communication Services.
- Producer: Altinn Notifications Email, SendingService; Altinn Notifications Email, StatusService
- Consumer: Altinn Notifications Email, EmailSendingAcceptedConsumer
- Format: json
- Data structure: SendNotificationOperationIdentifier`,
    )
    assert.match(page, /\| at \| all \| 6 \| 3 \| 7d \| `cleanup.policy=delete` \|/)
    assert.match(page, /\| prod \| all \| 6 \| 3 \| 365d \| `cleanup.policy=delete` \|/)
    assert.match(
      page,
      /\| `NotificationsConsumer` \| `User:notif-consumer` \| read \| `altinn.notifications.\*`, `altinn.platform.\*` \|/,
    )
  })
})
