import type { JSX } from 'preact'
import { count, countOf } from '../format.ts'
import { numberOf, textOf, valueOf, type Parameter } from '../parts/parameters-view.tsx'
import { Remarks } from '../parts/remarks.tsx'
import { ResourceButton } from '../parts/resource-button.tsx'
import { Time } from '../parts/time.tsx'

interface AnswerProps {
  readonly parameters: readonly Parameter[]
}

/** What a dry run found, besides its verdict. */
export function DryRunAnswer({ parameters }: AnswerProps): JSX.Element {
  const samples = parameters.filter(({ name }) => name === 'sample')
  const [oldest, newest] = [textOf(parameters, 'oldest'), textOf(parameters, 'newest')]
  return (
    <>
      {oldest !== '' && newest !== '' && (
        <p class="hint">
          Changes from <Time at={oldest} /> to <Time at={newest} />;{' '}
          {countOf(numberOf(parameters, 'evaluations'), 'evaluation')} of criteria in{' '}
          {count(numberOf(parameters, 'elapsedMs'))} ms.
        </p>
      )}
      <Remarks parameters={parameters} />
      {parameters
        .filter(({ name }) => name === 'error')
        .map(({ part = [] }, index) => (
          <p key={index} class="error">
            {countOf(numberOf(part, 'count'), 'change')}: {textOf(part, 'message')}
          </p>
        ))}
      {samples.length > 0 && <SampleTable samples={samples} />}
    </>
  )
}

function SampleTable({ samples }: { readonly samples: readonly Parameter[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Samples of the dry run">
      <table class="stack">
        <thead>
          <tr>
            <th scope="col">Resource</th>
            <th scope="col">Change</th>
            <th scope="col">Written</th>
            <th scope="col">Undecided because</th>
          </tr>
        </thead>
        <tbody>
          {samples.map(({ part = [] }, index) => (
            <SampleRow key={index} parameters={part} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function SampleRow({ parameters }: AnswerProps): JSX.Element {
  const { reference = '' } = (valueOf(parameters, 'change') ?? {}) as { reference?: string }
  const [resource = '', versionId] = reference.split('/_history/', 2)
  const at = textOf(parameters, 'at')
  return (
    <tr>
      <td data-label="Resource">
        <ResourceButton reference={resource} versionId={versionId} />
      </td>
      <td data-label="Change">{textOf(parameters, 'interaction')}</td>
      <td data-label="Written">{at !== '' && <Time at={at} />}</td>
      <td data-label="Undecided" class="text">
        {textOf(parameters, 'error')}
      </td>
    </tr>
  )
}
