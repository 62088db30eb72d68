import type { Interaction } from '../host/types.ts'

/** One event on its way to one destination. The same event gives the same bytes each time it is delivered. */
export interface NotificationEvent {
  /** Rises by one per destination. */
  readonly eventNumber: number
  /** Names the event for ever, also over redelivery. */
  readonly eventId: string
  /** Url of the topic that selected it. */
  readonly topicUrl: string
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string
  readonly at: Date
  readonly correlationId?: string
  readonly traceparent?: string
  /** JSON text of the resource as stored; `null` on delete. */
  readonly body: string | null
  /** An operator has asked for it; absent on what a write has caused. */
  readonly asked?: AskedDelivery
}

/** Why an event is delivered that no write has caused just now. */
export interface AskedDelivery {
  readonly kind: 'redrive' | 'replay' | 'backfill'
  readonly jobId: string
}

/** How a destination wants its notifications. */
export interface NotificationTarget {
  /** `AidboxTopicDestination/<id>`. */
  readonly reference: string
  readonly kafkaTopic: string
  readonly keyByResourceId: boolean
  readonly content: 'full-resource' | 'id-only' | 'empty'
  readonly includeEntryAction: boolean
  readonly includeVersionId: boolean
  readonly includeVersionIdInFocusReference: boolean
}

const extensionBase = 'http://health-samurai.io/fhir/core/StructureDefinition/'
const methods = { create: 'POST', update: 'PUT', delete: 'DELETE' } as const

/** The notification as JSON text: a Bundle of type `history` whose first entry is the AidboxSubscriptionStatus.
 *
 *  The resource's own JSON text is put in as it is, never parsed, so that a consumer gets the bytes that were stored.
 *  Source: Aidbox, Kafka AidboxTopicDestination, "Notification shape".
 *
 *  @param baseUrl Base URL of the server, for example `https://fhir.example.org/fhir`. */
export function notificationBundle(
  event: NotificationEvent,
  target: NotificationTarget,
  baseUrl: string,
): string {
  const focus = target.content === 'empty' ? '' : `,${focusEntry(event, target, baseUrl)}`
  return (
    `{"resourceType":"Bundle","type":"history","timestamp":"${utcSeconds(event.at)}",` +
    `"entry":[${statusEntry(event, target)}${focus}]}`
  )
}

/** Reference to the resource of the event: `Patient/123`, or `Patient/123/_history/5` when the destination asks for it. */
export function focusReference(event: NotificationEvent, target: NotificationTarget): string {
  const reference = `${event.resourceType}/${event.resourceId}`
  return target.includeVersionIdInFocusReference && event.versionId !== undefined
    ? `${reference}/_history/${event.versionId}`
    : reference
}

/** RFC 3339 in UTC with whole seconds, for example `2024-10-03T10:07:55Z`. */
export function utcSeconds(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`
}

// Put together as text, here and below: for 2 KB events the objects and their serialisation were the larger part of the relay's own work.
function statusEntry(event: NotificationEvent, target: NotificationTarget): string {
  const correlationId =
    event.correlationId === undefined
      ? ''
      : `,"correlationId":${JSON.stringify(event.correlationId)}`
  const focus = JSON.stringify(focusReference(event, target))
  return (
    '{"resource":{"resourceType":"AidboxSubscriptionStatus","status":"active","type":"event-notification",' +
    `"notificationEvent":[{"eventNumber":${event.eventNumber},"focus":{"reference":${focus}}${correlationId}}],` +
    `"topic":${JSON.stringify(event.topicUrl)},"topic-destination":{"reference":${JSON.stringify(target.reference)}}}}`
  )
}

function focusEntry(event: NotificationEvent, target: NotificationTarget, baseUrl: string): string {
  const { interaction, resourceType, resourceId, body } = event
  const root = baseUrl.replace(/\/+$/, '')
  const typePath = `${pathOf(root)}/${resourceType}`
  const url = interaction === 'create' ? typePath : `${typePath}/${resourceId}`
  const hasResource =
    target.content === 'full-resource' && interaction !== 'delete' && body !== null
  const extensions = entryExtensions(event, target)
  return (
    `{${hasResource ? `"resource":${body},` : ''}` +
    `"fullUrl":${JSON.stringify(`${root}/${resourceType}/${resourceId}`)},` +
    `"request":{"method":"${methods[interaction]}","url":${JSON.stringify(url)}}` +
    `${extensions.length > 0 ? `,"extension":${JSON.stringify(extensions)}` : ''}}`
  )
}

/** `/fhir` of `https://fhir.example.org/fhir`. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  return start < 0 ? '' : url.slice(start)
}

function entryExtensions(event: NotificationEvent, target: NotificationTarget): object[] {
  const extensions: object[] = []
  if (target.includeEntryAction) {
    extensions.push({
      url: `${extensionBase}bundle-entryActionCode`,
      valueCode: event.interaction,
    })
  }
  if (target.includeVersionId && event.versionId !== undefined) {
    extensions.push({ url: `${extensionBase}bundle-entryVersionId`, valueId: event.versionId })
  }
  return extensions
}
