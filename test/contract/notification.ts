import assert from 'node:assert/strict'
import { consumeRecords, type ConsumedRecord } from '../helpers/kafka.ts'

interface StatusResource {
  readonly resourceType: string
  readonly notificationEvent?: readonly NotificationEvent[]
  readonly [element: string]: unknown
}

interface NotificationEvent {
  readonly eventNumber: number
  readonly focus: { readonly reference: string }
  readonly correlationId?: string
  readonly [element: string]: unknown
}

export interface FocusEntry {
  readonly resource?: Readonly<Record<string, unknown>>
  readonly fullUrl?: string
  readonly request?: { readonly method: string; readonly url: string }
  readonly extension?: readonly object[]
}

/** One record of Kafka, its value read as a notification Bundle. */
export interface Notification {
  readonly record: ConsumedRecord
  readonly bundle: {
    readonly resourceType: string
    readonly type: string
    readonly timestamp: string
    readonly entry: readonly object[]
  }
  /** Resource of the first entry. */
  readonly status: StatusResource
  /** The one event of the notification. */
  readonly event: NotificationEvent
  /** `Patient/123` */
  readonly focus: string
  /** The second entry; absent with content empty. */
  readonly entry: FocusEntry | undefined
}

export async function readNotifications(
  bootstrapServers: string,
  kafkaTopic: string,
  count: number,
): Promise<Notification[]> {
  const records = await consumeRecords(bootstrapServers, kafkaTopic, count)
  return records.map(toNotification)
}

function toNotification(record: ConsumedRecord): Notification {
  const bundle = JSON.parse(record.value ?? '') as Notification['bundle']
  const [first, entry] = bundle.entry as [{ resource: StatusResource }, FocusEntry?]
  const [event, ...others] = first.resource.notificationEvent ?? []
  assert.ok(event)
  assert.deepEqual(others, [], 'one event a notification')
  return { record, bundle, status: first.resource, event, focus: event.focus.reference, entry }
}
