/** Makes the pictures of docs/images: npm run screenshots -- [minutes of load before them, default 3] */
import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { closeBrowser, testBrowser } from '../../test/helpers/browser.ts'
import { startScene } from './scene.ts'

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url))

interface Picture {
  readonly name: string
  readonly hash: string
  readonly width: number
  readonly height: number
  readonly theme: 'light' | 'dark'
  /** Waits until the page is as wanted. */
  readonly ready: (page: Page) => Promise<unknown>
}

const pictures: readonly Picture[] = [
  {
    name: 'console-destinations',
    hash: '/destinations',
    width: 1440,
    height: 760,
    theme: 'light',
    ready: (page) => page.getByRole('link', { name: 'billing' }).waitFor(),
  },
  {
    name: 'console-destinations-360',
    hash: '/destinations',
    width: 360,
    height: 760,
    theme: 'dark',
    ready: (page) => page.getByRole('link', { name: 'billing' }).waitFor(),
  },
  {
    name: 'console-destination-dark',
    hash: '/destinations/adt-feed',
    width: 1440,
    height: 860,
    theme: 'dark',
    ready: (page) => page.locator('canvas').first().waitFor(),
  },
  {
    name: 'console-nodes',
    hash: '/nodes',
    width: 1440,
    height: 760,
    theme: 'light',
    ready: (page) => page.getByRole('link', { name: 'lab-feed' }).waitFor(),
  },
  {
    name: 'console-explain',
    hash: '/topics/lab-results-final',
    width: 760,
    height: 900,
    theme: 'light',
    ready: async (page) => {
      await page.getByLabel('Version after the change').fill('Observation/o1')
      await page.getByRole('button', { name: 'Explain' }).click()
      await page.getByText('The topic fires on this change.').waitFor()
    },
  },
]

const minutes = Number(process.argv[2] ?? 3)
const scene = await startScene()
try {
  await delay(minutes * 60_000)
  await mkdir(folder, { recursive: true })
  const browser = await testBrowser()
  for (const { name, hash, width, height, theme, ready } of pictures) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      locale: 'en-US',
      timezoneId: 'UTC',
    })
    const page = await context.newPage()
    await page.goto(`${scene.consoleUrl}#${hash}`)
    await ready(page)
    // Rates are known after the second look.
    await delay(3000)
    await page.screenshot({ path: `${folder}${name}.png` })
    await context.close()
    console.log(name)
  }
} finally {
  await closeBrowser()
  await scene.stop()
}
