export const idRule = 'An id has 1 to 64 characters of A-Z, a-z, 0-9, - and .'

/** https://hl7.org/fhir/R4/datatypes.html#id */
export function isId(text: string): boolean {
  return /^[A-Za-z0-9\-.]{1,64}$/.test(text)
}
