import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import type { CleanUp } from './postgres.ts'
import { testBrowser } from './browser.ts'

export const themes = ['light', 'dark'] as const
export const widths = [360, 1440] as const

export interface PageOptions {
  readonly width?: number
  readonly theme?: (typeof themes)[number]
  /** Of the reader, as `Asia/Kolkata`. Default: that of the machine. */
  readonly timeZone?: string
}

/** A page of a browser session of its own. What the browser refuses, such as anything against the policy of the page, fails the test. */
export async function openPage(
  t: Pick<CleanUp, 'after'>,
  url: string,
  { width = 1440, theme = 'light', timeZone }: PageOptions = {},
): Promise<Page> {
  const browser = await testBrowser()
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: theme,
    locale: 'en-US',
    ...(timeZone === undefined ? {} : { timezoneId: timeZone }),
  })
  const faults: string[] = []
  context.on('weberror', (error) => faults.push(error.error().message))
  context.on('console', (message) => {
    // A refused request and a broken stream are said by the browser as well.
    const isNetwork = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isNetwork) faults.push(message.text())
  })
  t.after?.(async () => {
    await context.close()
    assert.deepEqual(faults, [])
  })
  const page = await context.newPage()
  await page.goto(url)
  return page
}

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Fails where a page breaks WCAG 2.2 AA or the best practices of axe, or is wider than the window. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // Through the debugger: the policy of the page allows no script of others.
  await page.evaluate(await axe)
  const results = await page.evaluate<AxeResults>('axe.run(document)')
  const found = results.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])
  assert.deepEqual(found, [], `axe: ${what}`)
  const overflow = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  assert.ok(overflow <= 0, `${what} is ${overflow} px too wide`)
}
