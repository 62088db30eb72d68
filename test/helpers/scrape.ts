import assert from 'node:assert/strict'

/** Series of the module by name and labels, without the prefix of the names. */
export type Scrape = ReadonlyMap<string, number>

/** Asks for /metrics of the server whose base URL of FHIR this is. */
export async function scrape(
  fhirUrl: string,
  headers: Record<string, string> = {},
): Promise<Scrape> {
  const response = await fetch(new URL('/metrics', fhirUrl), { headers })
  assert.equal(response.status, 200)
  return parseScrape(await response.text())
}

export function parseScrape(text: string): Scrape {
  const found = [...text.matchAll(/^fhir_topic_destination_(\S+) (\S+)$/gm)]
  return new Map(found.map(([, series = '', value = '']) => [series, Number(value)]))
}

/** Name of a series of a destination. */
export function ofDestination(
  metric: string,
  id: string,
  kind: 'kafka-at-least-once' | 'kafka-best-effort' = 'kafka-at-least-once',
  more = '',
): string {
  return `${metric}{destination="${id}",kind="${kind}"${more}}`
}

/** Scrapes until it is as wanted; what is read from the database may be a second old. */
export async function untilScrape(
  fhirUrl: string,
  wanted: (series: Scrape) => boolean,
  timeoutMs = 30_000,
): Promise<Scrape> {
  for (const deadlineMs = Date.now() + timeoutMs; ;) {
    const series = await scrape(fhirUrl)
    if (wanted(series)) return series
    if (Date.now() > deadlineMs) {
      assert.fail(`scrape after ${timeoutMs} ms: ${JSON.stringify([...series], undefined, 1)}`)
    }
    // A server tells its metrics only to whoever asks.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
