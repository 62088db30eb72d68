import { readFile } from 'node:fs/promises'
import type { OperationDefinition, ParametersParameter } from '@medplum/fhirtypes'
import { TopicDestinationError } from '../../errors.ts'
import {
  dryRunOperationDefinition,
  explainOperationDefinition,
} from '../../resources/topic-operation-definitions.ts'
import { objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { topicTypeName } from '../../resources/type-names.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { given, idOf, numberOption, onlyArgument, timeOption } from './arguments.ts'
import { FhirServer, serverOptions } from './fhir-server.ts'
import { plainParameters } from './plain-parameters.ts'
import { show } from './show.ts'

const parameters = 'TOPIC'
const stateDoc = 'A JSON file, or a reference that the server reads: Patient/1/_history/3.'

export const explainCommand: Command = {
  name: 'explain',
  summary: 'Says why a topic fires on a change or not. TOPIC is an id, or a JSON file.',
  parameters,
  options: {
    current: { type: 'string', value: 'STATE', doc: `The resource after the change. ${stateDoc}` },
    previous: { type: 'string', value: 'STATE', doc: 'The resource before it.' },
    interaction: {
      type: 'string',
      value: 'CODE',
      choices: ['create', 'update', 'delete'],
      doc: 'create, update or delete.',
    },
    ...serverOptions,
  },
  run: async (call) => {
    const change = [
      ...(await state(call, 'current')),
      ...(await state(call, 'previous')),
      ...given('interaction', 'valueCode', call.options.text('interaction')),
    ]
    const found = await ask(call, explainOperationDefinition, change)
    show(call, call.options.flag('json') ? found : withUndecided(found))
    return exitCodes.inLine
  },
}

export const dryRunCommand: Command = {
  name: 'dry-run',
  summary: 'Says what a topic would have sent. TOPIC is an id, or a JSON file.',
  parameters,
  options: {
    last: { type: 'string', value: 'N', doc: 'Most changes.' },
    from: { type: 'string', value: 'TIME', doc: 'Time of the oldest change: 2026-11-25.' },
    to: { type: 'string', value: 'TIME', doc: 'Time of the newest change, inclusive.' },
    samples: { type: 'string', value: 'N', doc: 'Most changes that are named.' },
    ...serverOptions,
  },
  run: async (call) => {
    const found = await ask(call, dryRunOperationDefinition, [
      ...given('last', 'valueInteger', numberOption(call, 'last', { minimum: 1 })),
      ...given('from', 'valueDateTime', timeOption(call, 'from')),
      ...given('to', 'valueDateTime', timeOption(call, 'to')),
      ...given('samples', 'valueInteger', numberOption(call, 'samples')),
    ])
    show(call, found)
    return exitCodes.inLine
  },
}

/** On the stored topic, or on the one of a file. */
async function ask(
  call: CommandCall,
  definition: OperationDefinition,
  parameter: ParametersParameter[],
): Promise<JsonObject> {
  const server = new FhirServer(call)
  const topic = onlyArgument(call, 'topic')
  const isFile = topic.endsWith('.json')
  const target = isFile ? topicTypeName : `${topicTypeName}/${idOf(topic, topicTypeName)}`
  const read = isFile ? [{ name: 'topic', resource: await jsonFile(topic) }] : []
  const answer = await server.post(`${target}/$${definition.code}`, {
    resourceType: 'Parameters',
    parameter: [...read, ...parameter],
  })
  return plainParameters(answer, definition)
}

/** With a word where the answer says by silence that nobody can decide. */
function withUndecided(found: JsonObject): JsonObject {
  const named = (each: JsonObject): JsonObject => ({ fires: 'undecided', ...each })
  return { ...named(found), trigger: objectsIn(found['trigger']).map(named) }
}

async function state(call: CommandCall, name: string): Promise<ParametersParameter[]> {
  const text = call.options.text(name)
  if (text === undefined) return []
  return text.endsWith('.json')
    ? [{ name, resource: await jsonFile(text) }]
    : [{ name, valueReference: { reference: text } }]
}

/** @throws TopicDestinationError `KTD_REQUEST` */
async function jsonFile(path: string): Promise<NonNullable<ParametersParameter['resource']>> {
  try {
    // What it is, the server says.
    return JSON.parse(await readFile(path, 'utf8')) as NonNullable<ParametersParameter['resource']>
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new TopicDestinationError('KTD_REQUEST', `The file cannot be read: ${why}.`)
  }
}
