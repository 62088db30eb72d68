import assert from 'node:assert/strict'
import { uniqueName } from '../helpers/kafka.ts'
import type { ContractServer, Kind } from './contract-server.ts'
import type { deliveryLogRows } from './delivery-log-rows.ts'
import type { LogLine } from '../helpers/recording-logger.ts'
import type { RowTest } from './row-test.ts'

const anyPatient = { resource: 'Patient' }
const kinds: readonly Kind[] = ['kafka-at-least-once', 'kafka-best-effort']
const logged = { enableLogging: true }

async function write({ fhir }: ContractServer): Promise<void> {
  await fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
}

interface LoggedStatus {
  readonly resourceType: string
  readonly id: string
  readonly 'topic-destination': { readonly reference: string }
  readonly error?: readonly string[]
  readonly [element: string]: unknown
}

function statusIn({ fields }: LogLine): LoggedStatus | undefined {
  return fields['resource'] as LoggedStatus | undefined
}

/** Lines about the attempts of one destination, by the resource that they have. */
function linesOf({ log }: ContractServer, id: string): LogLine[] {
  const reference = `AidboxTopicDestination/${id}`
  return log.filter((line) => statusIn(line)?.['topic-destination'].reference === reference)
}

/** Delivers one event, and answers what was logged of it. */
async function afterDelivery(
  contract: ContractServer,
  kind: Kind,
  elements: object,
): Promise<{ lines: LogLine[]; id: string; topicUrl: unknown }> {
  const { id, topic } = await contract.follow(anyPatient, { kind, ...elements })
  await write(contract)
  await contract.fhir.untilStatus(id, ({ count }) => count('messagesDelivered') === 1)
  return { lines: linesOf(contract, id), id, topicUrl: topic['url'] }
}

export const deliveryLogTests: Record<keyof typeof deliveryLogRows, RowTest> = {
  'log-off': async (contract) => {
    for (const kind of kinds) {
      for (const elements of [{}, { enableLogging: false, logLevel: 'error' }]) {
        const { lines } = await afterDelivery(contract, kind, elements)
        assert.deepEqual(lines, [])
        await contract.forget()
      }
    }
  },

  'log-success': async (contract) => {
    for (const kind of kinds) {
      const { lines, id, topicUrl } = await afterDelivery(contract, kind, logged)
      assert.equal(lines.length, 1)
      const { id: own, ...status } = statusIn(lines[0] as LogLine) ?? { id: '' }
      assert.match(own, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.deepEqual(status, {
        resourceType: 'AidboxSubscriptionStatus',
        status: 'active',
        type: 'event-notification',
        topic: topicUrl,
        'topic-destination': { reference: `AidboxTopicDestination/${id}` },
      })
      await contract.forget()
    }
  },

  'log-failure': async (contract) => {
    for (const kind of kinds) {
      const { id } = await contract.follow(anyPatient, {
        kind,
        ...logged,
        parameter: [
          { name: 'bootstrapServers', valueString: '127.0.0.1:9' },
          { name: 'requestTimeoutMs', valueInteger: 200 },
          { name: 'deliveryTimeoutMs', valueInteger: 200 },
          { name: 'maxBlockMs', valueInteger: 300 },
        ],
      })
      await write(contract)
      const failed =
        kind === 'kafka-best-effort' ? 'messagesLost' : ('messagesDeliveryAttempts' as const)
      await contract.fhir.untilStatus(id, ({ count }) => count(failed) > 0)
      const [line] = linesOf(contract, id)
      const { error = [] } = (line && statusIn(line)) ?? {}
      assert.equal(error.length, 1)
      assert.match(error[0] ?? '', /\S/)
      await contract.forget()
    }
  },

  'log-level': async (contract) => {
    for (const logLevel of ['error', 'warn', 'info', 'debug', 'trace']) {
      const elements = { ...logged, logLevel }
      const { lines } = await afterDelivery(contract, 'kafka-best-effort', elements)
      assert.deepEqual(
        lines.map(({ level }) => level),
        [logLevel],
      )
      await contract.forget()
    }
    const elements = { ...logged, logLevel: 'warn' }
    const { lines } = await afterDelivery(contract, 'kafka-at-least-once', elements)
    assert.equal(lines[0]?.level, 'warn')
  },

  'log-level-default': async (contract) => {
    for (const kind of kinds) {
      const { lines } = await afterDelivery(contract, kind, logged)
      assert.equal(lines[0]?.level, 'info')
      await contract.forget()
    }
  },

  'log-event-key': async (contract) => {
    for (const kind of kinds) {
      const { lines } = await afterDelivery(contract, kind, logged)
      assert.equal(lines[0]?.fields['ev'], 'topic-destination/status')
      await contract.forget()
    }
  },

  'log-attempts': async (contract) => {
    const perEvent = await contract.follow(anyPatient, { kind: 'kafka-best-effort', ...logged })
    const perTransaction = await contract.follow(anyPatient, { ...logged, status: 'off' })
    for (let turn = 0; turn < 3; turn++) await write(contract)
    await contract.fhir.put({ ...perTransaction.destination, status: 'active' })
    const numbers = async (id: string) => {
      await contract.fhir.untilStatus(id, ({ count }) => count('messagesDelivered') === 3)
      return linesOf(contract, id).map(({ fields }) => [
        fields['firstEventNumber'],
        fields['lastEventNumber'],
      ])
    }
    assert.deepEqual(await numbers(perTransaction.id), [[1, 3]])
    assert.deepEqual(await numbers(perEvent.id), [
      [1, 1],
      [2, 2],
      [3, 3],
    ])
  },
}
