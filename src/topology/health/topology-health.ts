/** What one look has found. */
export interface TopologyHealth {
  readonly name: string
  readonly environment: string | undefined
  /** Whether all services are. */
  readonly isHealthy: boolean
  readonly services: readonly ServiceHealth[]
}

/** Whether a record that the service's producer has written to its health topic could be read by its consumer. */
export type ServiceHealth = HealthyService | FailedService

interface Service {
  readonly service: string
  readonly kafkaTopic: string
}

export interface HealthyService extends Service {
  readonly isHealthy: true
  /** From handing the record over until it was read, in milliseconds; without connecting. */
  readonly latencyMs: number
  readonly partition: number
  readonly offset: number
}

export interface FailedService extends Service {
  readonly isHealthy: false
  /** Who could not do its part. */
  readonly side: 'producer' | 'consumer'
  /** `User:<name>`; undefined where nobody logs in. */
  readonly principal: string | undefined
  /** In the words of docs/kafka-errors.md. Holds no secret. */
  readonly cause: string
}
