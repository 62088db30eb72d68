const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

export function count(value: number): string {
  return whole.format(value)
}

/** `1 event`, `2 events`. */
export function countOf(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** Events a second. */
export function rate(value: number | undefined): string {
  return value === undefined ? '–' : short.format(value)
}

const units = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const

/** `3 min`, from milliseconds. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [size, unit] = units.find(([least]) => seconds >= least) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${unit}`
}

/** Since a time, as the clock of the server has it. */
export function age(at: string | undefined, now: string): string {
  return at === undefined ? '–' : duration(Date.parse(now) - Date.parse(at))
}

/** Of the times that the pages show. */
export const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** Local date and time, to the second. */
export function dateTime(at: string): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export function time(at: string): string {
  return dateTime(at).slice(11)
}
