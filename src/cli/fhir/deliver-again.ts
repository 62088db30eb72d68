import type { ParametersParameter } from '@medplum/fhirtypes'
import {
  backfillOperationDefinition,
  cancelOperationDefinition,
  deadLettersOperationDefinition,
  discardOperationDefinition,
  redriveOperationDefinition,
  replayOperationDefinition,
} from '../../resources/delivery-operation-definitions.ts'
import { exitCodes, type Command } from '../command.ts'
import { given, numberOption, textOption } from './arguments.ts'
import { serverOptions } from './fhir-server.ts'
import { tellKeptEvents } from './kept-events.ts'
import { rateOption, runOperation, waitOption } from './run-job.ts'
import {
  rangeOptions,
  requiredSelection,
  selectionParameters,
  setAsideOptions,
} from './selection-options.ts'

const parameters = 'DESTINATION'

const { all: _all, of, ...narrowing } = setAsideOptions

export const deadLettersCommand: Command = {
  name: 'dead-letters',
  summary:
    'Lists dead letters or undecided events, without content; ends with 2 when there are some.',
  parameters,
  options: {
    of: { ...of, doc: 'dead-letters or undecided. Default: dead-letters.' },
    ...narrowing,
    after: { type: 'string', value: 'NEXT', doc: 'next of the page before.' },
    count: { type: 'string', value: 'N', doc: 'Most events, at most 500. Default: 50.' },
    ...serverOptions,
  },
  run: (call) =>
    runOperation(
      call,
      deadLettersOperationDefinition,
      [
        ...selectionParameters(call),
        ...given('after', 'valueString', textOption(call, 'after')),
        ...given(
          'count',
          'valueInteger',
          numberOption(call, 'count', { minimum: 1, maximum: 500 }),
        ),
      ],
      ({ answer }) => (answer['event'] === undefined ? exitCodes.inLine : exitCodes.differences),
    ),
}

export const redriveCommand: Command = {
  name: 'redrive',
  summary:
    'Sends dead letters, and decides undecided events again; ends with 2 when some stay undecided.',
  parameters,
  options: {
    ...setAsideOptions,
    undecided: {
      type: 'boolean',
      doc: 'Send undecided events although nobody could decide whether the topic selects them.',
    },
    ...rateOption,
    ...waitOption,
    ...serverOptions,
  },
  run: (call) => {
    const sent: ParametersParameter[] = call.options.flag('undecided')
      ? [{ name: 'decide', valueBoolean: false }]
      : []
    const selection = requiredSelection(call, setAsideOptions)
    return runOperation(call, redriveOperationDefinition, [...selection, ...sent], (answered) =>
      tellKeptEvents(call.io, answered, selection),
    )
  },
}

export const discardCommand: Command = {
  name: 'discard',
  summary: 'Forgets dead letters and undecided events.',
  parameters,
  options: { ...setAsideOptions, ...serverOptions },
  run: (call) =>
    runOperation(call, discardOperationDefinition, requiredSelection(call, setAsideOptions)),
}

export const replayCommand: Command = {
  name: 'replay',
  summary: 'Sends delivered events again, with their numbers.',
  parameters,
  options: { ...rangeOptions, ...rateOption, ...waitOption, ...serverOptions },
  run: (call) =>
    runOperation(call, replayOperationDefinition, requiredSelection(call, rangeOptions)),
}

export const backfillCommand: Command = {
  name: 'backfill',
  summary: 'Sends the current state of everything that the topic selects.',
  parameters,
  options: { ...rateOption, ...waitOption, ...serverOptions },
  run: (call) => runOperation(call, backfillOperationDefinition, []),
}

export const cancelCommand: Command = {
  name: 'cancel',
  summary: 'Ends running redrives, replays and backfills.',
  parameters,
  options: {
    job: { type: 'string', value: 'N', doc: 'Number of the job. Default: all that are running.' },
    ...serverOptions,
  },
  run: (call) => {
    const job = given('job', 'valueInteger', numberOption(call, 'job', { minimum: 1 }))
    return runOperation(call, cancelOperationDefinition, job)
  },
}
