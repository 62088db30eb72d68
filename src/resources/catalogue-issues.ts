import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
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

/** What a write of the destination is refused for; only warned of while it is off, so that one which was stored before can be paused. */
export function catalogueIssues(
  { status }: FhirResource,
  values: KafkaParameterValues,
  catalogue: Catalogue | undefined,
): readonly OperationOutcomeIssue[] {
  const fault = catalogueFault(values, catalogue)
  if (fault === undefined) return []
  const issue = refusal('business-rule', fault, valuePath('kafkaTopic'))
  return [status === 'off' ? { ...issue, severity: 'warning' } : issue]
}
