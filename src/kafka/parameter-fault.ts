import type { KafkaParameterName } from './parameter-table.ts'

/** One reason why a destination cannot be used. `message` is a sentence without any secret. */
export interface ParameterFault {
  readonly parameter: KafkaParameterName
  readonly message: string
}
