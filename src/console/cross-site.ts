import type { IncomingMessage } from 'node:http'
import { ConsoleError } from './console-error.ts'

/** A page of another site cannot send it without being asked by the browser whether the console allows that, which it never does. */
export const actionHeader = 'x-fhir-console'

type Headers = Pick<IncomingMessage, 'headers'>

/** Refuses a change that a page of another site may have sent with the cookies or credentials of its reader.
 *  @throws ConsoleError 403 */
export function assertOwnAction({ headers }: Headers): void {
  const site = headers['sec-fetch-site']
  const isOwnPage = site === undefined || site === 'same-origin'
  if (isOwnPage && headers[actionHeader] !== undefined) return
  throw new ConsoleError(
    403,
    `A change needs the header ${actionHeader}, and must come from the console's own pages.`,
  )
}

/** Refuses what a page of another site wants to read: the host in front may allow that for its own answers, as FHIR servers do.
 *  @throws ConsoleError 403 */
export function assertOwnPage({ headers }: Headers): void {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw new ConsoleError(403, 'The console answers its own pages alone, and what is no page.')
}
