import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as main from '../../src/index.ts'
import * as historyTables from '../../src/history-tables/index.ts'
import * as retry from '../../src/retry/index.ts'
import * as testing from '../../src/testing/index.ts'
import * as topology from '../../src/topology/index.ts'

it('exports this and nothing else', () => {
  assert.deepEqual(Object.keys(main).toSorted(), [
    'OwnTypesHost',
    'TopicDestinationError',
    'UnitOfWork',
    'endProcess',
    'errorCodes',
    'fromKnex',
    'fromPg',
    'isTopicDestinationError',
    'kafkaTopicDestination',
    'outboxGrantsSql',
    'outboxMigrationsSql',
  ])
})

it('exports this for servers with history tables', () => {
  assert.deepEqual(Object.keys(historyTables).toSorted(), [
    'dropHistoryTriggersSql',
    'historyTablesHost',
    'historyTriggersSql',
    'installHistoryTriggers',
    'uninstallHistoryTriggers',
  ])
})

it('exports this for the authors of hosts', () => {
  assert.deepEqual(Object.keys(testing).toSorted(), [
    'HostConformanceError',
    'hostAbilities',
    'hostConformance',
  ])
})

it('exports this for topologies', () => {
  assert.deepEqual(Object.keys(topology).toSorted(), [
    'HealthProbe',
    'TopologyError',
    'aclFormats',
    'applyTopology',
    'checkHealth',
    'connectClusterAdmin',
    'formatAcls',
    'formatFinding',
    'formatPlanLine',
    'importTopology',
    'importedYaml',
    'parseTopology',
    'planTopology',
    'readTopology',
    'resolveTopology',
    'topologyChecks',
    'topologyPage',
    'validateTopology',
  ])
})

it('exports this for the consumers and dead letters of topologies', () => {
  assert.deepEqual(Object.keys(retry).toSorted(), [
    'kafkaConnection',
    'listDeadLetters',
    'purgeDeadLetters',
    'readDeadLetters',
    'redriveDeadLetters',
    'retryChannelName',
    'retryHeaders',
    'retryingConsumer',
  ])
})
