import type { ContractRows } from './contract-row.ts'
import { correlationRows } from './correlation-rows.ts'
import { deliveryLogRows } from './delivery-log-rows.ts'
import { destinationRows } from './destination-rows.ts'
import { notificationRows } from './notification-rows.ts'
import { organizationRows } from './organization-rows.ts'
import { parameterRows } from './parameter-rows.ts'
import { secretRows } from './secret-rows.ts'
import { statusRows } from './status-rows.ts'
import { topicElementRows, topicRows } from './topic-rows.ts'

export type SuiteName = 'topics' | 'destinations' | 'parameters' | 'delivery' | 'status'

/** What Aidbox documents for topics, Kafka destinations, notifications and $status, and how this module stands to it: rows by area,
 *  areas by the test file that tries them (`topics.test.ts`). Each row has a test of the same id (contract-tests.ts).
 *  README's "Differences from Aidbox" is made of it. */
export const contractTable: Readonly<Record<SuiteName, Readonly<Record<string, ContractRows>>>> = {
  topics: {
    'topics and triggers': topicRows,
    'elements of a topic': topicElementRows,
  },
  destinations: {
    destinations: destinationRows,
  },
  parameters: {
    parameters: parameterRows,
  },
  delivery: {
    notifications: notificationRows,
    'correlation id': correlationRows,
    'delivery log': deliveryLogRows,
    organizations: organizationRows,
  },
  status: {
    $status: statusRows,
    secrets: secretRows,
  },
}
