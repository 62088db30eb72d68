import type { JSX } from 'preact'
import type { DestinationSettingsView, ParameterView } from '../../api-views.ts'
import { Notice } from '../parts/notice.tsx'
import { useLoaded } from '../task.ts'

interface SettingsProps {
  readonly id: string
  /** When it changes the resource is read again. */
  readonly version: string
}

/** Parameters of the stored resource, without secrets. */
export function Settings({ id, version }: SettingsProps): JSX.Element {
  const { answer: settings, error } = useLoaded<DestinationSettingsView>(
    `/destinations/${encodeURIComponent(id)}/settings`,
    version,
  )
  return (
    <section>
      <h2 id="settings">
        Parameters{' '}
        {settings?.versionId !== undefined && (
          <span class="hint">version {settings.versionId}</span>
        )}
      </h2>
      <Notice error={error} />
      {settings && (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="settings">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Value</th>
              </tr>
            </thead>
            <tbody>
              <tr>
                <th scope="row">content</th>
                <td class="text">{settings.content}</td>
              </tr>
              {settings.parameters.map((parameter) => (
                <tr key={parameter.name}>
                  <th scope="row">{parameter.name}</th>
                  <td class="text">
                    <Value {...parameter} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function Value({ kind, value = '' }: ParameterView): JSX.Element {
  switch (kind) {
    case 'masked':
      return <span class="hint">•••••• (secret in the resource)</span>
    case 'secret-reference':
      return <span>secret {value}</span>
    case 'value':
      return <span>{value.length > 300 ? `${value.slice(0, 300)} …` : value}</span>
  }
}
