import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { chromium as playwright, type Browser } from 'playwright-core'
import type { CleanUp } from './postgres.ts'

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

/** Ends the browser when `t` ends. */
export async function browserOf(t: CleanUp): Promise<Browser> {
  t.after?.(closeBrowser)
  return testBrowser()
}

async function launch(): Promise<Browser> {
  const { path, libraries } = await installed()
  return playwright.launch({
    executablePath: path,
    args: flags,
    env: {
      ...process.env,
      ...(libraries === undefined
        ? {}
        : {
            LD_LIBRARY_PATH: [process.env['LD_LIBRARY_PATH'], libraries].filter(Boolean).join(':'),
          }),
    },
  })
}

interface InstalledBrowser {
  readonly path: string
  /** Folder of libraries that a machine without a desktop lacks. */
  readonly libraries?: string
}

async function installed(): Promise<InstalledBrowser> {
  const path = process.env['CHROMIUM_PATH']
  if (path !== undefined && path !== '') return { path }
  if (existsSync('/usr/bin/chromium')) return { path: '/usr/bin/chromium' }
  const { default: packaged } = await import('@sparticuz/chromium')
  return { path: await packaged.executablePath(), libraries: await packagedLibraries() }
}

/** The package unpacks them on the machines that it is made for only. */
async function packagedLibraries(): Promise<string> {
  const folder = join(tmpdir(), `chromium-libraries-${process.getuid?.() ?? 0}`)
  if (existsSync(folder)) return join(folder, 'lib')
  const archive = new URL('../../bin/al2023.tar.br', import.meta.resolve('@sparticuz/chromium'))
  const staging = await mkdtemp(join(tmpdir(), 'chromium-libraries-'))
  try {
    const tar = await promisify(brotliDecompress)(await readFile(archive))
    await mkdir(staging, { recursive: true })
    await writeFile(join(staging, 'libraries.tar'), tar)
    execFileSync('tar', ['-xf', join(staging, 'libraries.tar'), '-C', staging])
    await rename(staging, folder)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    // Another process was faster.
    if (!existsSync(folder)) throw error
  }
  return join(folder, 'lib')
}
