import type pg from 'pg'
import {
  installTriggers,
  installTriggersSql,
  prepareCapture,
  uninstallTriggers,
  uninstallTriggersSql,
} from './install-triggers.ts'
import { capturePlan, type CaptureOptions } from './options.ts'

export {
  historyTablesHost,
  type CaptureStatus,
  type HistoryTablesHost,
} from './history-tables-host.ts'
export type { CaptureOptions, HistoryTablesOptions } from './options.ts'
export type { ColumnNames, TableLayout } from './table-layout.ts'

/** Makes the triggers and the schema of the captured changes, as `start()` of the host does. Idempotent; any number of nodes may call it
 *  at the same time.
 *  @returns the tables that were given a trigger or a new function
 *  @throws TopicDestinationError `KTD_HISTORY_TABLES` */
export async function installHistoryTriggers(
  pool: pg.Pool,
  options: CaptureOptions = {},
): Promise<readonly string[]> {
  const plan = capturePlan(options)
  await prepareCapture(pool, plan)
  return installTriggers(pool, plan)
}

/** Takes the triggers and their functions away; what was captured stays in its schema. Idempotent.
 *  @throws TopicDestinationError `KTD_HISTORY_TABLES` */
export async function uninstallHistoryTriggers(
  pool: pg.Pool,
  options: CaptureOptions = {},
): Promise<void> {
  await uninstallTriggers(pool, capturePlan(options))
}

/** The SQL of {@link installHistoryTriggers} for administrators who run it themselves. Where a table holds one type each, name
 *  in `resourceTypes` those whose tables exist. */
export function historyTriggersSql(options: CaptureOptions = {}): string {
  return installTriggersSql(capturePlan(options))
}

/** The SQL of {@link uninstallHistoryTriggers}. */
export function dropHistoryTriggersSql(options: CaptureOptions = {}): string {
  return uninstallTriggersSql(capturePlan(options))
}
