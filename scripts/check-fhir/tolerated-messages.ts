import { destinationTypeName, topicTypeName } from '../../src/resources/type-names.ts'
import type { Subject } from './subjects.ts'

export interface ToleratedMessage {
  readonly what: string
  readonly reason: string
  readonly kinds: readonly Subject['kind'][]
  /** The element, a colon and the validator's words. */
  readonly pattern: RegExp
}

const ownType = `(?:${topicTypeName}|${destinationTypeName})`
const typeElement = `(?:${[
  String.raw`SearchParameter\.base\[0\]`,
  String.raw`OperationDefinition\.resource\[0\]`,
  String.raw`CapabilityStatement\.rest\[0\]\.resource\[\d+\]\.type`,
].join('|')})`

/** All that the validator may say against a resource that is to be valid. A message it no longer gives is a failure. */
export const toleratedMessages: readonly ToleratedMessage[] = [
  {
    what: 'StructureDefinition.type is "not defined in the FHIR specification"',
    reason: `R4 lets only HL7 name a type without a URL; ${topicTypeName} and ${destinationTypeName} are what clients send.`,
    kinds: ['definition'],
    pattern: new RegExp(`^StructureDefinition\\.type: The type ${ownType} is not legal because `),
  },
  {
    what: 'a resource type outside of the value set resource-types',
    reason: 'The binding is required in R4 and its value set is closed.',
    kinds: ['definition', 'capability statement'],
    pattern: new RegExp(
      `^${typeElement}: (?:Unknown code '[^']*/resource-types#${ownType}'|The value provided \\('${ownType}'\\) was not found in the value set 'ResourceType')`,
    ),
  },
  {
    what: 'SearchParameter.expression has an "unknown context"',
    reason: 'The validator looks for the first name of the expression among the types of R4 only.',
    kinds: ['definition'],
    pattern: new RegExp(
      `^SearchParameter\\.expression: .*Unknown context evaluating FHIRPath expression: ${ownType} `,
    ),
  },
  {
    what: 'a profile of others could not be found',
    reason: 'One example names a profile that nobody publishes beside ours, as clients may.',
    kinds: ['instance'],
    pattern:
      /\.meta\.profile\[\d+\]: Profile reference 'http:\/\/example\.org\/[^']*' has not been/,
  },
  {
    what: 'entries of a notification without fullUrl, request and response (bdl-3, bdl-4)',
    reason: "Aidbox's notifications are so, and its consumers rely on it.",
    kinds: ['notification'],
    pattern:
      /^Bundle: Constraint failed: bdl-[34]:|^Bundle\.entry\[0\]: Except for transactions and batches, each entry in a Bundle must have a fullUrl /,
  },
]
