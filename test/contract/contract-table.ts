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

/** What Aidbox documents for topics, Kafka destinations, notifications and $status, and how this module stands to it; by area.
 *  Each row has a test of the same id (contract-tests.ts). README's "Differences from Aidbox" is made of it. */
export const contractTable: Readonly<Record<string, ContractRows>> = {
  'topics and triggers': topicRows,
  'elements of a topic': topicElementRows,
  destinations: destinationRows,
  parameters: parameterRows,
  notifications: notificationRows,
  'correlation id': correlationRows,
  'delivery log': deliveryLogRows,
  $status: statusRows,
  secrets: secretRows,
  organizations: organizationRows,
}
