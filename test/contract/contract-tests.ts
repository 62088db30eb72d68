import { correlationTests } from './correlation-tests.ts'
import { deliveryLogTests } from './delivery-log-tests.ts'
import { destinationTests } from './destination-tests.ts'
import { notificationTests } from './notification-tests.ts'
import { organizationTests } from './organization-tests.ts'
import { parameterTests } from './parameter-tests.ts'
import type { RowTest } from './row-test.ts'
import { secretTests } from './secret-tests.ts'
import { statusTests } from './status-tests.ts'
import { topicElementTests } from './topic-element-tests.ts'
import { topicTests } from './topic-tests.ts'

/** The test of each row of the contract table, by id. */
export const contractTests: Readonly<Record<string, RowTest>> = {
  ...topicTests,
  ...topicElementTests,
  ...destinationTests,
  ...parameterTests,
  ...notificationTests,
  ...correlationTests,
  ...deliveryLogTests,
  ...statusTests,
  ...secretTests,
  ...organizationTests,
}
