import type { Interaction } from '../host/types.ts'

/** One event on its way to one destination. The same event gives the same bytes each time it is delivered. */
export interface NotificationEvent {
  /** Rises by one per destination. */
  readonly eventNumber: number
  /** Names the event for ever, also over redelivery. */
  readonly eventId: string
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string
  readonly at: Date
  readonly correlationId?: string
  readonly traceparent?: string
  /** JSON text of the resource as stored; `null` on delete. */
  readonly body: string | null
}

/** How a destination wants its notifications. */
export interface NotificationTarget {
  /** `AidboxTopicDestination/<id>`. */
  readonly reference: string
  readonly topicUrl: string
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
  const entries = [statusEntry(event, target)]
  if (target.content !== 'empty') entries.push(focusEntry(event, target, baseUrl))
  const timestamp = JSON.stringify(utcSeconds(event.at))
  return `{"resourceType":"Bundle","type":"history","timestamp":${timestamp},"entry":[${entries.join(',')}]}`
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

function statusEntry(event: NotificationEvent, target: NotificationTarget): string {
  const status = {
    resourceType: 'AidboxSubscriptionStatus',
    status: 'active',
    type: 'event-notification',
    notificationEvent: [
      {
        eventNumber: event.eventNumber,
        focus: { reference: focusReference(event, target) },
        correlationId: event.correlationId,
      },
    ],
    topic: target.topicUrl,
    'topic-destination': { reference: target.reference },
  }
  return `{"resource":${JSON.stringify(status)}}`
}

function focusEntry(event: NotificationEvent, target: NotificationTarget, baseUrl: string): string {
  const { interaction, resourceType, resourceId, body } = event
  const root = baseUrl.replace(/\/+$/, '')
  const typePath = `${new URL(root).pathname.replace(/\/$/, '')}/${resourceType}`
  const extensions = entryExtensions(event, target)
  const rest = JSON.stringify({
    fullUrl: `${root}/${resourceType}/${resourceId}`,
    request: {
      method: methods[interaction],
      url: interaction === 'create' ? typePath : `${typePath}/${resourceId}`,
    },
    extension: extensions.length > 0 ? extensions : undefined,
  })
  const hasResource =
    target.content === 'full-resource' && interaction !== 'delete' && body !== null
  return hasResource ? `{"resource":${body},${rest.slice(1)}` : rest
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
