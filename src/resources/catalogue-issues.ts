import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { KafkaParameterValues } from '../kafka/parameter-table.ts'
import { saslLogin } from '../kafka/sasl/sasl-login.ts'
import type { Catalogue } from '../topology/catalogue.ts'
import { refusal } from './issue.ts'
import { valuePath } from './read-parameters.ts'

/** What a catalogue has against a destination's Kafka topic.
 *  @param values without faults */
export function catalogueFault(
  values: KafkaParameterValues,
  catalogue: Catalogue | undefined,
): string | undefined {
  const user = saslLogin(values)?.properties['sasl.username']
  return catalogue?.fault(values.kafkaTopic, typeof user === 'string' ? user : undefined)
}

/** What a write of the destination is refused for. */
export function catalogueIssues(
  values: KafkaParameterValues,
  catalogue: Catalogue | undefined,
): readonly OperationOutcomeIssue[] {
  const fault = catalogueFault(values, catalogue)
  return fault === undefined ? [] : [refusal('business-rule', fault, valuePath('kafkaTopic'))]
}
