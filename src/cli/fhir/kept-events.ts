import type { ParametersParameter } from '@medplum/fhirtypes'
import { deadLettersOperationDefinition } from '../../resources/delivery-operation-definitions.ts'
import { objectsIn } from '../../resources/json-shapes.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type CommandIo } from '../command.ts'
import { printable } from '../printable.ts'
import { tell } from '../progress.ts'
import { FhirRequestError } from './fhir-server.ts'
import { plainParameters } from './plain-parameters.ts'
import type { Answered } from './run-job.ts'

/** Says which undecided events a redrive has left undecided, and why.
 *  @param selection of the redrive
 *  @returns the exit code */
export async function tellKeptEvents(
  io: CommandIo,
  answered: Answered,
  selection: readonly ParametersParameter[],
): Promise<number> {
  const kept = Number(answered.answer['undecidedKept'] ?? 0)
  if (!(kept > 0)) return exitCodes.inLine
  const error = await firstError(answered, selection)
  const what = kept === 1 ? '1 event stays undecided' : `${kept} events stay undecided`
  const why = error === undefined ? '' : `${kept === 1 ? ':' : ', the first because of:'} ${error}`
  tell(
    io,
    `${printable(`${what}${why}`.replace(/\.$/, ''))}. Correct the topic and redrive again; --undecided sends without a decision, and dead-letters --of undecided lists.`,
  )
  return exitCodes.differences
}

const narrowing: readonly string[] = ['from', 'to', 'error']

async function firstError(
  { server, id }: Answered,
  selection: readonly ParametersParameter[],
): Promise<string | undefined> {
  try {
    const answer = await server.post(`${destinationTypeName}/${id}/$dead-letters`, {
      resourceType: 'Parameters',
      parameter: [
        { name: 'of', valueCode: 'undecided' },
        { name: 'count', valueInteger: 1 },
        ...selection.filter(({ name }) => narrowing.includes(name)),
      ],
    })
    const { event } = plainParameters(answer, deadLettersOperationDefinition)
    const [first] = objectsIn(event)
    return first && String(first['error'])
  } catch (error) {
    // The redrive is done, whether its rest can be listed or not.
    if (error instanceof FhirRequestError) return undefined
    throw error
  }
}
