import { allOk } from '@medplum/core'
import type { Parameters, ParametersParameter } from '@medplum/fhirtypes'
import type { Change, FhirHost, Operation, OperationRequest } from '../host/types.ts'
import { explainOperationDefinition } from '../resources/topic-operation-definitions.ts'
import { topicTypeName } from '../resources/type-names.ts'
import { isSameContent } from '../rest/resource-shapes.ts'
import type { PartValue } from '../triggers/criteria-values.ts'
import {
  explainTopic,
  type ExplainedPart,
  type ExplainedTopic,
  type ExplainedTrigger,
} from '../triggers/explain-topic.ts'
import type { Position } from '../triggers/fhirpath-ast.ts'
import { askedChange, CallerRead } from './asked-change.ts'
import { askedTopic, remark, targetOf, type AskedTopic } from './asked-topic.ts'
import { inputNames, OperationInput } from './operation-input.ts'
import { optional, outcomeParameter } from './output.ts'

export type ExplainHost = Pick<FhirHost, 'authorize' | 'read' | 'history'>

/** `POST AidboxSubscriptionTopic/$explain` and `POST AidboxSubscriptionTopic/<id>/$explain`: whether a topic fires on a change, and why.
 *
 *  The caller must be allowed to read what is read for the answer, also what a criteria resolves. */
export function explainOperations(host: ExplainHost): readonly Operation[] {
  return (['type', 'instance'] as const).map((level) => ({
    code: 'explain',
    resourceType: topicTypeName,
    level,
    methods: ['POST'],
    definition: explainOperationDefinition,
    handle: async (request) => ({ outcome: allOk, resource: await explain(host, request) }),
  }))
}

const names = inputNames(explainOperationDefinition)

async function explain(host: ExplainHost, request: OperationRequest): Promise<Parameters> {
  const { principal } = request
  await host.authorize?.(principal, 'explain', targetOf(request))
  const input = new OperationInput(request.input, names)
  const asked = await askedTopic({ host, request, input })
  const reads = { host, principal }
  const change = await askedChange(reads, input)
  const callerRead = new CallerRead(reads)
  const explained = await explainTopic(asked.topic, change, callerRead.read)
  // What the caller may not read must not be told by what a criteria makes of it.
  if (callerRead.refusal) throw callerRead.refusal
  return explanation(asked, change, explained)
}

function explanation(
  { topic, issues }: AskedTopic,
  change: Change,
  { fires, error, isOfOrganization, triggers }: ExplainedTopic,
): Parameters {
  const { current, previous } = change
  const isNoChange =
    current !== undefined && previous !== undefined && isSameContent(current, previous)
  const remarks = isNoChange
    ? [
        remark(
          'current and previous say the same, apart from meta.versionId and meta.lastUpdated: a write that changes nothing fires nothing.',
        ),
      ]
    : []
  return {
    resourceType: 'Parameters',
    parameter: [
      { name: 'topic', valueUri: topic.url },
      { name: 'interaction', valueCode: change.interaction },
      ...optional('fires', 'valueBoolean', isNoChange ? false : fires),
      ...optional('error', 'valueString', isNoChange ? undefined : error),
      ...optional('isOfOrganization', 'valueBoolean', isOfOrganization),
      ...triggers.map(triggerParameter),
      ...outcomeParameter([...issues, ...remarks]),
    ],
  }
}

function triggerParameter(trigger: ExplainedTrigger): ParametersParameter {
  const { fires, decidedBy, guard, error, position, steps, parts } = trigger
  return {
    name: 'trigger',
    part: [
      ...optional('fires', 'valueBoolean', fires),
      { name: 'decidedBy', valueCode: decidedBy },
      ...optional('guard', 'valueString', guard),
      ...optional('error', 'valueString', error),
      ...optional('position', 'valueString', position && positionText(position)),
      ...optional('steps', 'valueInteger', steps),
      ...parts.map((part) => partParameter('part', part)),
    ],
  }
}

function partParameter(
  name: string,
  { text, position, value, operands }: ExplainedPart,
): ParametersParameter {
  return {
    name,
    part: [
      ...optional('expression', 'valueString', text),
      { name: 'position', valueString: positionText(position) },
      { name: 'result', valueCode: value.kind },
      ...(value.kind === 'value' ? valueParameters(value) : []),
      ...operands.map((operand) => partParameter('operand', operand)),
    ],
  }
}

function valueParameters({ values }: PartValue & { kind: 'value' }): ParametersParameter[] {
  return values.map(({ type, text }) => ({
    name: 'value',
    part: [{ name: 'type', valueString: type }, ...optional('text', 'valueString', text)],
  }))
}

/** As the check of a written topic says it. */
function positionText({ line, column }: Position): string {
  return `line ${line}, column ${column}`
}
