import { capitalize, tryGetDataType } from '@medplum/core'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'

/** What a member of an object is, by the name that it has in the JSON. */
interface Member {
  readonly type: string
  /** `value[x]` for a member such as `valueString`. */
  readonly choice: string | undefined
}

type Members = ReadonlyMap<string, Member>

const noMembers: Members = new Map()
const membersByType = new Map<string, Members>()

/** What a look at all members of a resource has found. */
export interface StructureFindings {
  readonly issues: OperationOutcomeIssue[]
  /** Where there is base64 beyond the limit that core has for every string: R4 has it for texts only. */
  readonly longData: Set<string>
}

/** Core's limit of a string. */
const maxStringLength = 1024 * 1024

/** Finds what core's validator lets pass: members called as those of Object.prototype, which it takes for elements of the type,
 *  and more than one value of a choice. */
export function structureOf(resource: FhirResource): StructureFindings {
  const findings: StructureFindings = { issues: [], longData: new Set() }
  checkObject(resource, resource.resourceType, resource.resourceType, findings)
  return findings
}

function checkObject(object: object, type: string, path: string, found: StructureFindings): void {
  const members = membersOf(type)
  const chosen = new Map<string, string>()
  for (const [key, value] of Object.entries(object) as [string, unknown][]) {
    // `_birthDate` holds the id and the extensions of `birthDate`.
    const name = key.startsWith('_') ? key.slice(1) : key
    const member = members.get(name)
    if (!member && (key in Object.prototype || name in Object.prototype)) {
      found.issues.push(issueAt(`${path}.${key}`, 'The element is not known.'))
    }
    const { type: memberType = '', choice } = member ?? {}
    if (choice !== undefined) {
      const other = chosen.get(choice) ?? name
      if (other !== name) found.issues.push(issueAt(`${path}.${choice}`, onlyOneText))
      chosen.set(choice, other)
    }
    const childPath = `${path}.${choice ?? key}`
    checkValue(value, name === key ? memberType : 'Element', childPath, found)
  }
}

function checkValue(value: unknown, type: string, path: string, found: StructureFindings): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkValue(item, type, `${path}[${index}]`, found)
  } else if (typeof value === 'object' && value !== null) {
    const ownType = 'resourceType' in value ? value.resourceType : undefined
    checkObject(value, typeof ownType === 'string' ? ownType : type, path, found)
  } else if (typeof value === 'string' && value.length > maxStringLength) {
    if (type === 'base64Binary' && !/[^A-Za-z0-9+/=\s]/.test(value)) found.longData.add(path)
  }
}

function membersOf(type: string): Members {
  const known = membersByType.get(type)
  if (known) return known
  // A name that a client made up is not remembered.
  const schema = tryGetDataType(type)
  if (!schema) return noMembers
  const members = new Map<string, Member>()
  for (const [name, element] of Object.entries(schema.elements)) {
    const codes = element.type.map(({ code }) => code)
    if (!name.endsWith('[x]')) {
      members.set(name, { type: codes[0] ?? '', choice: undefined })
      continue
    }
    for (const code of codes) {
      members.set(name.slice(0, -'[x]'.length) + capitalize(code), { type: code, choice: name })
    }
  }
  membersByType.set(type, members)
  return members
}

const onlyOneText = 'There is more than one value; the element has one type.'

function issueAt(expression: string, text: string): OperationOutcomeIssue {
  return {
    severity: 'error',
    code: 'structure',
    details: { text },
    expression: [expression],
  }
}
