import type { OperationDefinition, Parameters, ParametersParameter } from '@medplum/fhirtypes'
import { destinationTypeName } from '../../resources/type-names.ts'
import { exitCodes, type CommandCall, type CommandIo, type CommandOption } from '../command.ts'
import { printable } from '../printable.ts'
import { progress, tell } from '../progress.ts'
import { askAgain } from './ask-again.ts'
import { given, idOf, numberOption, onlyArgument } from './arguments.ts'
import { readStatus, type JobStatus } from './destination-status.ts'
import { FhirServer } from './fhir-server.ts'
import { plainParameters } from './plain-parameters.ts'
import { show } from './show.ts'

export const waitOption: Readonly<Record<'wait', CommandOption>> = {
  wait: {
    type: 'boolean',
    doc: 'Wait for the end of the job; ends with 2 when it or one of its events failed.',
  },
}

export const rateOption: Readonly<Record<'max-per-second', CommandOption>> = {
  'max-per-second': {
    type: 'string',
    value: 'N',
    doc: 'Most events a second. Default: what the server says.',
  },
}

/** An operation that has answered. */
export interface Answered {
  readonly server: FhirServer
  /** Of the destination. */
  readonly id: string
  readonly answer: Readonly<Record<string, unknown>>
}

/** Calls an operation on the destination that the command names, and waits for its job where that is asked for.
 *  @param judge says what the answer means, beside its job
 *  @returns the exit code */
export async function runOperation(
  call: CommandCall,
  definition: OperationDefinition,
  parameter: ParametersParameter[],
  judge: (answered: Answered) => Promise<number> | number = () => exitCodes.inLine,
): Promise<number> {
  const server = new FhirServer(call)
  const id = idOf(onlyArgument(call, 'destination'), destinationTypeName)
  const most = numberOption(call, 'max-per-second', { minimum: 1, maximum: 100_000 })
  const rate = given('maxPerSecond', 'valueInteger', most)
  const body: Parameters = { resourceType: 'Parameters', parameter: [...parameter, ...rate] }
  const path = `${destinationTypeName}/${id}/$${definition.code}`
  const answer = plainParameters(await server.post(path, body), definition)
  const job = answer['job'] as JobStatus | undefined
  const isAwaited = job !== undefined && call.options.flag('wait')
  const ended = isAwaited ? await untilEnded(server, id, job, call.io) : undefined
  show(call, ended ? { ...answer, job: ended } : answer)
  if (isAwaited && !ended) return exitCodes.error
  const hasFailed = ended && (ended.state !== 'done' || ended.failed > 0)
  const exitCode = await judge({ server, id, answer })
  return hasFailed ? exitCodes.differences : exitCode
}

/** FHIR REST tells nobody that something has changed. */
const intervalMs = 500

/** @returns undefined, and says so, when it cannot be told how the job has ended */
async function untilEnded(
  server: FhirServer,
  id: string,
  begun: JobStatus,
  io: CommandIo,
): Promise<JobStatus | undefined> {
  let job = begun
  let told: string | undefined
  while (job.state === 'running') {
    progress(io, lineOf(job))
    const status = await askAgain(io, { intervalMs }, () => readStatus(server, id))
    const found = status?.job?.find((each) => each.id === begun.id)
    // Of each kind $status has the newest one.
    if (!found) {
      const { kind } = begun
      const text = `Another ${kind} of ${id} has begun; how ${kind} ${begun.id} ended is not told any more.`
      tell(io, printable(text))
      return undefined
    }
    job = found
    const reason = waitsBecause(status?.status, job)
    if (reason !== undefined && reason !== told) tell(io, reason)
    told = reason
  }
  progress(io, `${lineOf(job)}\n`)
  return job
}

function waitsBecause(status: string | undefined, job: JobStatus): string | undefined {
  if (job.state !== 'running') return undefined
  if (status === 'off') return 'The destination is off; the job goes on when it is active again.'
  return job.error === undefined ? undefined : printable(`The job tells: ${job.error}`)
}

const barWidth = 30

/** `replay 12 [###   ] 340 of 1200, 3 failed` */
function lineOf({ kind, id, total, sent, failed }: JobStatus): string {
  const share = total === undefined || total === 0 ? undefined : (sent + failed) / total
  const filled = Math.round(Math.min(Math.max(share ?? 0, 0), 1) * barWidth)
  const bar = share === undefined ? '' : ` [${'#'.repeat(filled).padEnd(barWidth)}]`
  const of = total === undefined ? '' : ` of ${total}`
  return printable(`${kind} ${id}${bar} ${sent}${of}${failed > 0 ? `, ${failed} failed` : ''}`)
}
