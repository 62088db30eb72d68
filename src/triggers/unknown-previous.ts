import type { Change } from '../host/types.ts'
import { allNodes, variableName, type AstNode } from './fhirpath-ast.ts'

/** Whether `%previous` is empty only because nobody knows the version before an update or delete; no criteria that asks for it is decided by that. A
 *  host that asks `usesPrevious` leaves the version out where no topic needs it; one that came since may need it. Nor does a history have every
 *  version. */
export function isPreviousUnknown({ interaction, previous }: Change): boolean {
  return interaction !== 'create' && !previous
}

/** Whether a criteria needs the version before a change. */
export function asksForPrevious(ast: AstNode): boolean {
  return allNodes(ast).some((node) => variableName(node) === 'previous')
}

export const unknownPrevious =
  'The criteria needs the version before this change, which is not known.'
