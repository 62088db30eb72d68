import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Principal } from '../host/types.ts'
import type { HttpRequest } from '../http/express.ts'
import type { Logger } from '../observability/logger.ts'
import type { RequestBody } from '../rest/rest-request.ts'
import type { ClusterHealthView } from './api-views.ts'
import type { TopicDestinationModule } from '../module.ts'
import type { ResolvedTopology } from '../topology/resolved-topology.ts'

/** A request that the console makes to the FHIR server, for the caller of the console. `OwnTypesHost.handle` takes it. */
export interface ConsoleFhirRequest {
  readonly method: string
  /** Behind the base URL: `/AidboxTopicDestination/a/$status`. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly readBody: () => Promise<RequestBody | undefined>
  readonly principal?: Principal | undefined
}

export interface ConsoleFhirAnswer {
  readonly status: number
  readonly body?: unknown
}

/** Who uses the console. */
export interface ConsoleCaller {
  /** Goes to the FHIR server with everything that is done there. */
  readonly principal?: Principal | undefined
  /** Whether the console offers and takes actions; the FHIR server may refuse them all the same. */
  readonly mayWrite: boolean
  /** Whether the caller may know of a topic or a destination, and of undecided events of an organization. Where it is given the console leaves out all
   *  others, also from its sums, and has no page of nodes, which concerns everybody. Default: of all. */
  readonly maySee?: ((resource: SeenResource) => boolean) | undefined
}

export interface SeenResource {
  /** `AidboxTopicDestination/a`, `AidboxSubscriptionTopic/b` */
  readonly reference: string
  /** Reference of the organization that it is limited to; absent: all. */
  readonly organization?: string | undefined
}

/** A sign-in of the console's own, for hosts whose clients have no session in the browser. */
export interface ConsoleSignIn<Request extends IncomingMessage = HttpRequest> {
  /** Value of Set-Cookie for who shows the right secret; undefined: refused.
   *  @param cookiePath below which the console lies in the browser */
  open(
    secret: string,
    cookiePath: string,
    request: Request,
  ): string | undefined | Promise<string | undefined>
  /** Value of Set-Cookie that ends the session. */
  close(cookiePath: string, request: Request): string
}

/** `Request`: what the middleware in front makes of a request, such as one with a `user`. */
export interface ConsoleOptions<Request extends IncomingMessage = HttpRequest> {
  readonly module: Pick<TopicDestinationModule, 'monitor'>
  /** Runs a request as the FHIR server would that came from `principal`: actions, explanations and whatever resource is shown go this way, so
   *  that the server's own rules decide. `(request) => host.handle(request)` for an `OwnTypesHost`; undefined: there is no such resource. */
  readonly fhir: (request: ConsoleFhirRequest) => Promise<ConsoleFhirAnswer | undefined>
  /** Who sends a request; undefined: nobody who may see the console, 401. */
  readonly authorize: (
    request: Request,
  ) => ConsoleCaller | undefined | Promise<ConsoleCaller | undefined>
  /** Health of the Kafka cluster that a topology file describes, for whoever may look: `() => probe.check()` of a `HealthProbe`. Default: none is shown. */
  readonly health?: () => Promise<ClusterHealthView>
  /** What the topology file says, as `resolveTopology` answers it, for whoever may look. Default: nothing is shown. */
  readonly topology?: ResolvedTopology
  /** Default: none; who is not authorised is told to sign in to the server first. */
  readonly signIn?: ConsoleSignIn<Request>
  /** Where unexpected failures go.
   *  @default silent */
  readonly logger?: Logger
}
