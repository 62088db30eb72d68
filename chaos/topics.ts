import { topicResource, type TestResource } from '../test/helpers/topic-resources.ts'

/** The types of the hot resources. */
export const hotTypes = ['Patient', 'Observation', 'Basic'] as const
export type HotType = (typeof hotTypes)[number]

/** A committed version, as the history table of the server has it. */
export interface Version {
  readonly type: string
  readonly interaction: 'create' | 'update' | 'delete'
  readonly isActive: boolean
}

export interface ChaosTopic {
  readonly resource: TestResource
  /** The trigger once more, independent of the code under test. */
  readonly selects: (version: Version) => boolean
}

export type TopicName = 'everything' | 'active-patients' | 'spare-observations' | 'spare-mixed'

/** Topics of a run. Nobody but destinations that come and go listens to `spare-…`: a node that does not know of one yet then writes
 *  no event at all. */
export const topics: Readonly<Record<TopicName, ChaosTopic>> = {
  everything: {
    resource: topicResource('everything', ...hotTypes.map((resource) => ({ resource }))),
    selects: () => true,
  },
  'active-patients': {
    resource: topicResource('active-patients', {
      resource: 'Patient',
      supportedInteraction: ['create', 'update'],
      fhirPathCriteria: '%current.active = true',
    }),
    selects: ({ type, interaction, isActive }) =>
      type === 'Patient' && interaction !== 'delete' && isActive,
  },
  'spare-observations': {
    resource: topicResource('spare-observations', {
      resource: 'Observation',
      supportedInteraction: ['update', 'delete'],
    }),
    selects: ({ type, interaction }) => type === 'Observation' && interaction !== 'create',
  },
  'spare-mixed': {
    resource: topicResource('spare-mixed', { resource: 'Basic' }, { resource: 'Observation' }),
    selects: ({ type }) => type === 'Basic' || type === 'Observation',
  },
}

export function selects(topic: TopicName | undefined, version: Version): boolean {
  return topic !== undefined && topics[topic].selects(version)
}
