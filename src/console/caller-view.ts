import type { Overview } from '../monitor/delivery-monitor.ts'
import { summaryOf } from '../monitor/to-view.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { ConsoleError } from './console-error.ts'
import type { ConsoleCaller, SeenResource } from './console-options.ts'
import type { RouteParts, RouteRequest } from './routes.ts'

export function maySee({ maySee: decide }: ConsoleCaller, resource: SeenResource): boolean {
  return decide === undefined || decide(resource)
}

/** Whether of a destination that the caller may see they may know an event. A topic's undecided events are of all organizations, and a destination that
 *  is limited to one by now has others from before.
 *  @param organization that the destination was limited to when the event was written; undefined: all */
export function mayKnow(
  caller: ConsoleCaller,
  destination: SeenResource,
  organization: string | undefined,
): boolean {
  if (caller.maySee && organization === undefined) return destination.organization === undefined
  return maySee(caller, { reference: destination.reference, organization })
}

/** An overview of what the caller may know of. */
export function overviewFor(caller: ConsoleCaller, overview: Overview): Overview {
  if (!caller.maySee) return overview
  const destinations = overview.destinations.filter((each) => maySee(caller, each))
  return { summary: summaryOf(destinations, Date.parse(overview.summary.at)), destinations }
}

/** Of a topic or a destination that the FHIR server is about to be asked for. Any other resource is a matter of that server.
 *  @throws ConsoleError 404 */
export async function assertMaySee(
  { caller, overview }: Pick<RouteRequest, 'caller' | 'overview'>,
  { module: { monitor } }: Pick<RouteParts, 'module'>,
  reference: string,
): Promise<void> {
  if (!caller.maySee) return
  const [type] = reference.split('/', 1)
  const isSeen =
    type === destinationTypeName
      ? (await overview()).destinations.some((each) => each.reference === reference)
      : type !== topicTypeName ||
        monitor.topicNames().some((each) => each.reference === reference && maySee(caller, each))
  if (!isSeen) throw new ConsoleError(404, `There is no ${reference}.`)
}

/** Of what concerns everybody.
 *  @throws ConsoleError 403 */
export function assertSeesAll(caller: ConsoleCaller): void {
  if (caller.maySee) throw new ConsoleError(403, 'This is for who may see all destinations.')
}
