import { allOk, OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue, Parameters, ParametersParameter } from '@medplum/fhirtypes'
import { deadline } from '../deadline.ts'
import { boundedRead } from '../host/bounded-read.ts'
import type {
  FhirHost,
  HistoryQuery,
  HostHistory,
  Operation,
  OperationRequest,
} from '../host/types.ts'
import { dryRunOperationDefinition } from '../resources/topic-operation-definitions.ts'
import { topicTypeName } from '../resources/type-names.ts'
import { notImplemented, unavailable } from '../rest/outcomes.ts'
import { replayHistory, type Replay, type ReplaySample } from '../triggers/replay-history.ts'
import { typesOf, type SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { askedTopic, remark, targetOf } from './asked-topic.ts'
import { inputNames, OperationInput, refusedParameter } from './operation-input.ts'
import { optional, outcomeParameter } from './output.ts'

/** What one dry run may take at most. */
export interface DryRunLimits {
  readonly dryRunMaxChanges: number
  readonly dryRunTimeoutMs: number
  readonly dryRunMaxSamples: number
}

export interface DryRunParts {
  readonly host: Pick<FhirHost, 'authorize' | 'read' | 'history'>
  readonly limits: DryRunLimits
  /** The module stops. */
  readonly stopped: AbortSignal
}

/** `POST AidboxSubscriptionTopic/$dry-run` and `POST AidboxSubscriptionTopic/<id>/$dry-run`: what a topic would have sent. One at a time on
 *  each node. Whoever may call it can ask anything of the stored resources, by a criteria of their own. */
export function dryRunOperations(parts: DryRunParts): readonly Operation[] {
  const dryRun = new DryRun(parts)
  return (['type', 'instance'] as const).map((level) => ({
    code: 'dry-run',
    resourceType: topicTypeName,
    level,
    methods: ['POST'],
    definition: dryRunOperationDefinition,
    handle: async (request) => ({ outcome: allOk, resource: await dryRun.answer(request) }),
  }))
}

const names = inputNames(dryRunOperationDefinition)

class DryRun {
  readonly #parts: DryRunParts
  #isRunning = false

  constructor(parts: DryRunParts) {
    this.#parts = parts
  }

  async answer(request: OperationRequest): Promise<Parameters> {
    const { host, limits, stopped } = this.#parts
    await host.authorize?.(request.principal, 'dry-run', targetOf(request))
    const { history } = host
    if (!history) {
      throw new OperationOutcomeError(
        notImplemented('This server keeps no versions that a dry run could read.'),
      )
    }
    const input = new OperationInput(request.input, names)
    const { topic, issues } = await askedTopic({ host, request, input })
    const wanted = wantedOf(input, limits)
    if (stopped.aborted) throw new OperationOutcomeError(unavailable('The server is stopping.'))
    if (this.#isRunning) {
      throw new OperationOutcomeError(
        unavailable('Another dry run is under way on this node; try again when it has ended.'),
      )
    }
    this.#isRunning = true
    try {
      return await this.#run(topic, issues, history, wanted)
    } finally {
      this.#isRunning = false
    }
  }

  async #run(
    topic: SubscriptionTopic,
    issues: readonly OperationOutcomeIssue[],
    history: HostHistory,
    wanted: Wanted,
  ): Promise<Parameters> {
    const { host, stopped } = this.#parts
    const beganMs = performance.now()
    const { signal, dispose } = deadline(wanted.timeoutMs, stopped)
    const replay = await replayHistory(topic, history.changes(queryOf(topic, wanted, signal)), {
      maxChanges: wanted.maxChanges,
      maxSamples: wanted.maxSamples,
      signal,
      read: boundedRead((references) => host.read(references), { ...wanted, signal }),
      now: () => performance.now(),
    }).finally(dispose)
    if (stopped.aborted) throw new OperationOutcomeError(unavailable('The server is stopping.'))
    const elapsedMs = performance.now() - beganMs
    return dryRunParameters(topic, replay, {
      elapsedMs,
      issues,
      isWholeNumber: wanted.isGivenNumber,
    })
  }
}

interface Wanted {
  readonly from: Date | undefined
  readonly to: Date | undefined
  readonly maxChanges: number
  /** The client has asked for so many: it is no cut that there are more. */
  readonly isGivenNumber: boolean
  readonly timeoutMs: number
  readonly maxSamples: number
}

function wantedOf(input: OperationInput, limits: DryRunLimits): Wanted {
  const { dryRunMaxChanges, dryRunTimeoutMs, dryRunMaxSamples } = limits
  const last = input.integer('last', 1, dryRunMaxChanges)
  const [from, to] = [input.time('from')?.first, input.time('to')?.last]
  if (from && to && from > to) {
    throw refusedParameter('from', 'value', 'Give a from that is not after to.')
  }
  return {
    from,
    to,
    maxChanges: last ?? dryRunMaxChanges,
    isGivenNumber: last !== undefined,
    timeoutMs: input.integer('timeoutMs', 1, dryRunTimeoutMs) ?? dryRunTimeoutMs,
    maxSamples: input.integer('samples', 0, dryRunMaxSamples) ?? dryRunMaxSamples,
  }
}

function queryOf(
  topic: SubscriptionTopic,
  { from, to }: Wanted,
  signal: AbortSignal,
): HistoryQuery {
  const types = typesOf(topic.triggers)
  return {
    ...(types && { types }),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    signal,
  }
}

interface DryRunRemarks {
  readonly elapsedMs: number
  readonly issues: readonly OperationOutcomeIssue[]
  readonly isWholeNumber: boolean
}

function dryRunParameters(
  topic: SubscriptionTopic,
  replay: Replay,
  { elapsedMs, issues, isWholeNumber }: DryRunRemarks,
): Parameters {
  const cut = replay.cut === 'changes' && isWholeNumber ? undefined : replay.cut
  const remarks =
    cut === undefined
      ? []
      : [remark(`Older changes were not looked at: the limit of ${cut} was reached.`)]
  return {
    resourceType: 'Parameters',
    parameter: [
      { name: 'topic', valueUri: topic.url },
      { name: 'examined', valueInteger: replay.examined },
      { name: 'fires', valueInteger: replay.fired },
      { name: 'undecided', valueInteger: replay.undecided },
      ...optional('newest', 'valueInstant', replay.newest?.toISOString()),
      ...optional('oldest', 'valueInstant', replay.oldest?.toISOString()),
      ...optional('cut', 'valueCode', cut),
      { name: 'evaluations', valueDecimal: replay.evaluations },
      { name: 'steps', valueDecimal: replay.steps },
      { name: 'referencesRead', valueDecimal: replay.referencesRead },
      { name: 'elapsedMs', valueDecimal: Math.round(elapsedMs) },
      ...replay.samples.map(sampleParameter),
      ...replay.errors.map(({ message, count }) => ({
        name: 'error',
        part: [
          { name: 'message', valueString: message },
          { name: 'count', valueInteger: count },
        ],
      })),
      ...outcomeParameter([...issues, ...remarks]),
    ],
  }
}

function sampleParameter({ reference, interaction, at, error }: ReplaySample): ParametersParameter {
  return {
    name: 'sample',
    part: [
      { name: 'change', valueReference: { reference } },
      { name: 'interaction', valueCode: interaction },
      { name: 'at', valueInstant: at.toISOString() },
      ...optional('error', 'valueString', error),
    ],
  }
}
