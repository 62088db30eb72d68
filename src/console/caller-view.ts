import type { Overview } from '../monitor/delivery-monitor.ts'
import { summaryOf } from '../monitor/to-view.ts'
import { ConsoleError } from './console-error.ts'
import type { ConsoleCaller, SeenResource } from './console-options.ts'

export function maySee({ maySee: decide }: ConsoleCaller, resource: SeenResource): boolean {
  return decide === undefined || decide(resource)
}

/** An overview of what the caller may know of. */
export function overviewFor(caller: ConsoleCaller, overview: Overview): Overview {
  if (!caller.maySee) return overview
  const destinations = overview.destinations.filter((each) => maySee(caller, each))
  return { summary: summaryOf(destinations, Date.parse(overview.summary.at)), destinations }
}

/** Of what concerns everybody.
 *  @throws ConsoleError 403 */
export function assertSeesAll(caller: ConsoleCaller): void {
  if (caller.maySee) throw new ConsoleError(403, 'This is for who may see all destinations.')
}
