/** A stretch of time in milliseconds since 1970, without its end. */
export interface DateRange {
  readonly low: number
  readonly high: number
}

/** Stand for the open ends of a period; PostgreSQL's bigint and a JSON number hold both. */
export const beginningOfTime = -8_640_000_000_000_000
export const endOfTime = 8_640_000_000_000_000

const pattern =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/

const [secondMs, minuteMs, dayMs] = [1000, 60_000, 86_400_000]

/** The time that a FHIR date or instant of any precision covers: `2020` is the whole year. Without a zone it is UTC. */
export function toDateRange(text: string): DateRange | undefined {
  const match = pattern.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  const [y, m, d] = [Number(year), Number(month ?? 1), Number(day ?? 1)]
  const [h, min, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)]
  if (y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m)) return undefined
  if (h > 23 || min > 59 || s > 60) return undefined
  if (month === undefined) return { low: utc(y, 1, 1), high: utc(y + 1, 1, 1) }
  if (day === undefined) return { low: utc(y, m, 1), high: utc(y, m + 1, 1) }
  const midnight = utc(y, m, d)
  if (hour === undefined) return { low: midnight, high: midnight + dayMs }
  const low = midnight + (h * 60 + min) * minuteMs + s * secondMs - zoneMs(zone)
  if (second === undefined) return { low, high: low + minuteMs }
  if (fraction === undefined) return { low, high: low + secondMs }
  const lowMs = low + Number(fraction.padEnd(3, '0').slice(0, 3))
  return { low: lowMs, high: lowMs + 1 }
}

/** Date.UTC takes the years 0 to 99 for those of the twentieth century. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day)
}

function daysIn(year: number, month: number): number {
  return new Date(utc(year, month + 1, 0)).getUTCDate()
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))
  return (zone.startsWith('-') ? -1 : 1) * minutes * minuteMs
}
