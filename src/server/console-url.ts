/** Where the reference server has its console: beside its FHIR service. The slash at the end spares a redirect.
 *  @param baseUrl of the FHIR service */
export function consoleUrl(baseUrl: string): string {
  return new URL('console/', baseUrl).href
}
