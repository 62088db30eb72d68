/** Metadata that every conformance resource of the module shares. The date changes with the content, by hand: generated files stay the same. */
export const definitionHeader = {
  version: '1.0.0',
  status: 'active',
  experimental: false,
  date: '2026-11-24',
  publisher: 'fhir-topic-destination-kafka',
} as const
