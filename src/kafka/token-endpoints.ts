import { TopicDestinationError } from '../errors.ts'
import type { ParameterFault } from './parameter-fault.ts'
import type { KafkaParameterValues } from './parameter-table.ts'

/** Whether destinations may have tokens fetched from this URL. */
export type IsTokenEndpointAllowed = (url: string) => boolean

/** Nobody may, unless the operator says so: this server would send a request to wherever a destination points, also into its own network. */
export const noTokenEndpoint: IsTokenEndpointAllowed = () => false

/** Reads the option `allowedTokenEndpoints`: URLs, of which each allows itself and what is below its path. With `http:` it is asked without TLS.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION` */
export function allowedTokenEndpoints(
  urls: readonly string[] | undefined = [],
): IsTokenEndpointAllowed {
  const allowed = urls.map((text) => {
    const url = webUrl(text.trim())
    if (url && url.search === '') return url
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'allowedTokenEndpoints must be a list of absolute URLs without user, query and fragment, such as https://login.example.org/oauth2/token.',
    )
  })
  return (text) => {
    const url = webUrl(text)
    return url !== undefined && allowed.some((each) => isBelow(url, each))
  }
}

function isBelow(url: URL, { origin, pathname }: URL): boolean {
  const folder = pathname.endsWith('/') ? pathname : `${pathname}/`
  return url.origin === origin && (url.pathname === pathname || url.pathname.startsWith(folder))
}

/** What the parser of another library might read in another way. */
const ambiguous = /[\\\s\p{Cc}]/u

/** Undefined when it is none that can be asked. */
function webUrl(text: string): URL | undefined {
  if (!URL.canParse(text) || ambiguous.test(text)) return undefined
  const url = new URL(text)
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
  return isWeb && url.username === '' && url.password === '' && url.hash === '' ? url : undefined
}

export function tokenEndpointFaults(
  { saslOauthbearerTokenEndpointUrl: url }: KafkaParameterValues,
  isAllowed: IsTokenEndpointAllowed,
): readonly ParameterFault[] {
  if (url === undefined || isAllowed(url)) return []
  const parameter = 'saslOauthbearerTokenEndpointUrl'
  const message = webUrl(url)
    ? 'saslOauthbearerTokenEndpointUrl is not among the token endpoints that this server asks; have the operator add it to allowedTokenEndpoints (variable ALLOWED_TOKEN_ENDPOINTS of the reference server).'
    : 'saslOauthbearerTokenEndpointUrl must be an absolute URL of https, without user and fragment.'
  return [{ parameter, message }]
}
