import { allowedServers, type IsServerAllowed } from './bootstrap-servers.ts'
import { allowedTokenEndpoints, type IsTokenEndpointAllowed } from './token-endpoints.ts'

/** Where destinations may have this server connect to. */
export interface AllowedPlaces {
  /** @default every server */
  readonly isServerAllowed?: IsServerAllowed
  /** @default none */
  readonly isTokenEndpointAllowed?: IsTokenEndpointAllowed
}

/** Reads the options that limit them.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION` */
export function allowedPlaces(options: {
  readonly allowedBootstrapServers?: readonly string[] | undefined
  readonly allowedTokenEndpoints?: readonly string[] | undefined
}): Required<AllowedPlaces> {
  return {
    isServerAllowed: allowedServers(options.allowedBootstrapServers),
    isTokenEndpointAllowed: allowedTokenEndpoints(options.allowedTokenEndpoints),
  }
}
