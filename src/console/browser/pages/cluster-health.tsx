import type { JSX } from 'preact'
import type { ClusterHealthView, ServiceHealthView } from '../../api-views.ts'
import { count } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { useRefreshed } from '../task.ts'

const refreshMs = 10_000

/** Whether the services of the Kafka cluster can talk through it. */
export function ClusterHealth(): JSX.Element {
  const { answer, error } = useRefreshed<ClusterHealthView>('/health', refreshMs)
  return (
    <>
      <h2 id="cluster">Kafka cluster</h2>
      <Notice error={error} />
      {answer && (
        <>
          <p class={`verdict ${answer.isHealthy ? 'is-well' : 'is-wrong'}`}>
            {answer.name}
            {answer.environment === undefined ? '' : ` (${answer.environment})`}:{' '}
            {answer.isHealthy ? 'all services can talk.' : 'not all services can talk.'}
          </p>
          <div class="scroll" tabIndex={0} role="region" aria-labelledby="cluster">
            <table class="stack">
              <thead>
                <tr>
                  <th scope="col">Service</th>
                  <th scope="col">State</th>
                  <th scope="col">Kafka topic</th>
                  <th scope="col">What was found</th>
                </tr>
              </thead>
              <tbody>
                {answer.services.map((service) => (
                  <ServiceRow key={service.service} {...service} />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </>
  )
}

function ServiceRow(service: ServiceHealthView): JSX.Element {
  const { isHealthy, latencyMs, side, principal, cause } = service
  return (
    <tr>
      <th scope="row">{service.service}</th>
      <td data-label="State">
        <span class={`mark ${isHealthy ? 'mark-ok' : 'mark-error'}`}>
          {isHealthy ? 'OK' : 'Error'}
        </span>
      </td>
      <td data-label="Kafka topic">{service.kafkaTopic}</td>
      <td data-label="Found" class="text">
        {isHealthy
          ? `read after ${count(Math.round(latencyMs ?? 0))} ms`
          : `${side ?? 'service'}${principal === undefined ? '' : ` ${principal}`}: ${cause ?? 'unknown'}`}
      </td>
    </tr>
  )
}
