/** What a destination promises: see README, "Which guarantee do I get". */
export const destinationKinds = ['kafka-best-effort', 'kafka-at-least-once'] as const
export type DestinationKind = (typeof destinationKinds)[number]

export function isDestinationKind(value: unknown): value is DestinationKind {
  return destinationKinds.some((kind) => kind === value)
}

export const destinationStatuses = [
  'requested',
  'active',
  'error',
  'off',
  'entered-in-error',
] as const
export type DestinationStatus = (typeof destinationStatuses)[number]

export const contentModes = ['full-resource', 'id-only', 'empty'] as const
export type ContentMode = (typeof contentModes)[number]

export const logLevels = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]
