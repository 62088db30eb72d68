import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { chromium as playwright, type Browser } from 'playwright-core'

/** Without a network, and as root in containers. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let shared: Promise<Browser> | undefined

/** Chromium of this process, with a profile of its own: of CHROMIUM_PATH, else of the system, else of the npm package. Ended with `closeBrowser`. */
export function testBrowser(): Promise<Browser> {
  return (shared ??= launch())
}

export async function closeBrowser(): Promise<void> {
  const browser = await shared
  shared = undefined
  await browser?.close()
}

async function launch(): Promise<Browser> {
  const { path, env } = await installed()
  return playwright.launch({ executablePath: path, args: flags, env: { ...process.env, ...env } })
}

interface InstalledBrowser {
  readonly path: string
  /** What a machine without a desktop lacks. */
  readonly env: Readonly<Record<string, string>>
}

async function installed(): Promise<InstalledBrowser> {
  const path = process.env['CHROMIUM_PATH']
  if (path !== undefined && path !== '') return { path, env: {} }
  if (existsSync('/usr/bin/chromium')) return { path: '/usr/bin/chromium', env: {} }
  const folder = await unpacked()
  return {
    path: join(folder, 'chromium'),
    env: {
      LD_LIBRARY_PATH: [process.env['LD_LIBRARY_PATH'], join(folder, 'lib')]
        .filter(Boolean)
        .join(':'),
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    },
  }
}

const packageName = '@sparticuz/chromium'

/** Unpacks the browser of the npm package once for each user: whole or not at all, because several processes may come at once. The package's own
 *  way writes to a place that all users share.
 *  @returns the folder */
async function unpacked(): Promise<string> {
  // Two folders below the package: build/esm/index.js.
  const root = new URL('../../', import.meta.resolve(packageName))
  const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as {
    version: string
  }
  const folder = join(tmpdir(), `test-chromium-${version}-${process.getuid?.() ?? 0}`)
  if (existsSync(folder)) return folder
  const staging = await mkdtemp(`${folder}-`)
  const content = async (name: string): Promise<Buffer> =>
    promisify(brotliDecompress)(await readFile(new URL(`bin/${name}`, root)))
  try {
    await writeFile(join(staging, 'chromium'), await content('chromium.br'), { mode: 0o700 })
    for (const name of ['al2023.tar', 'fonts.tar']) {
      await writeFile(join(staging, name), await content(`${name}.br`))
      execFileSync('tar', ['-xf', join(staging, name), '-C', staging])
      await rm(join(staging, name))
    }
    await writeFile(join(staging, 'fonts.conf'), fontsConf(folder))
    await rename(staging, folder)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    // Another process was faster.
    if (!existsSync(folder)) throw error
  }
  return folder
}

function fontsConf(folder: string): string {
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>/usr/share/fonts</dir><dir>${folder}/fonts</dir><cachedir>${folder}/cache</cachedir></fontconfig>`
}
