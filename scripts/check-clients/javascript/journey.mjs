/** What the JavaScript clients share: settings, resources, and one line on standard output for each step. */
import { randomUUID } from 'node:crypto'

export const settings = {
  url: process.env.FHIR_URL,
  user: process.env.FHIR_USER,
  password: process.env.FHIR_PASSWORD,
  token: process.env.FHIR_TOKEN,
}

/** Runs a step. A failed one leaves the exit code 1. */
export async function step(name, run) {
  try {
    await run()
    process.stdout.write(`ok\t${name}\n`)
  } catch (error) {
    process.exitCode = 1
    process.stdout.write(`failed\t${name}\t${reasonOf(error)}\n`)
  }
}

/** In one line, with the place in the script. */
function reasonOf(error) {
  const place = /[\w-]+\.mjs:\d+/.exec(error?.stack ?? '')?.[0] ?? ''
  return `${place} ${error?.message ?? String(error)}`.replaceAll(/\s+/g, ' ').slice(0, 500)
}

/** A step that the client has no call for. */
export function notOffered(name, reason) {
  process.stdout.write(`not offered\t${name}\t${reason}\n`)
}

export function topic() {
  return {
    resourceType: 'AidboxSubscriptionTopic',
    url: `http://example.org/topic/${randomUUID()}`,
    status: 'active',
    trigger: [{ resource: 'Patient', supportedInteraction: ['create'] }],
  }
}

export function destination(topicUrl) {
  return {
    resourceType: 'AidboxTopicDestination',
    meta: {
      profile: [
        'http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaAtLeastOnceProfile',
      ],
    },
    kind: 'kafka-at-least-once',
    topic: topicUrl,
    parameter: [
      { name: 'kafkaTopic', valueString: 'events' },
      { name: 'bootstrapServers', valueString: 'localhost:9' },
      { name: 'batchSize', valueInteger: 1024 },
    ],
  }
}

export function fhirPathPatch(path, value) {
  const part = [
    { name: 'type', valueCode: 'replace' },
    { name: 'path', valueString: path },
    { name: 'value', valueCode: value },
  ]
  return { resourceType: 'Parameters', parameter: [{ name: 'operation', part }] }
}

/** A Patient and an Encounter of it by urn:uuid, and a search. */
export function transaction() {
  const fullUrl = `urn:uuid:${randomUUID()}`
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl,
        resource: { resourceType: 'Patient', name: [{ family: 'Transaction' }] },
        request: { method: 'POST', url: 'Patient' },
      },
      {
        resource: {
          resourceType: 'Encounter',
          status: 'finished',
          class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
          subject: { reference: fullUrl },
        },
        request: { method: 'POST', url: 'Encounter' },
      },
    ],
  }
}
