/** FHIR dateTime: as precise as one likes, a time of day with seconds and its zone (https://hl7.org/fhir/R4/datatypes.html#dateTime). */
export const dateTimePattern: RegExp =
  /^\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00)))?)?)?$/
