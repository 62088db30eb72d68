import assert from 'node:assert/strict'
import { it } from 'node:test'
import { OperationOutcomeError } from '@medplum/core'
import { errorOutcome, notImplemented } from '../../../src/rest/outcomes.ts'
import { toldOutcome } from '../../../src/rest/told-outcome.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'

it('only what nobody foresaw is logged as an error, and what may go through later as a warning', () => {
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  for (const error of [
    new OperationOutcomeError(notImplemented('This server keeps no versions.')),
    new OperationOutcomeError(errorOutcome('not-found', 'not-found', 'There is none.')),
  ]) {
    toldOutcome(error, logger)
  }
  assert.deepEqual(lines, [])
  toldOutcome(new OperationOutcomeError(errorOutcome('unavailable', 'transient', 'Wait.')), logger)
  toldOutcome(new TypeError('x is not a function'), logger)
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['status']]),
    [
      ['warn', 503],
      ['error', 500],
    ],
  )
})
