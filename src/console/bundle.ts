import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Files of the console as a browser gets them, by name. */
export type BundledFiles = ReadonlyMap<string, Uint8Array>

const folder = new URL('./browser/', import.meta.url)

/** Makes the files of the console out of their sources: when the package is built, and at the first request where the server runs from a clone. */
export async function bundleConsole(): Promise<BundledFiles> {
  const { outputFiles } = await build({
    entryPoints: [
      { in: fileURLToPath(new URL('main.tsx', folder)), out: 'app' },
      { in: fileURLToPath(new URL('style.css', folder)), out: 'style' },
    ],
    outdir: fileURLToPath(folder),
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'silent',
    // The package has no side effects; what a browser runs has.
    ignoreAnnotations: true,
    tsconfigRaw: {},
  })
  const files = new Map<string, Uint8Array>()
  for (const { path, contents } of outputFiles) {
    files.set(path.slice(path.lastIndexOf('/') + 1), contents)
  }
  for (const name of ['index.html', 'icon.svg']) {
    files.set(name, await readFile(new URL(name, folder)))
  }
  files.set('licenses.txt', new TextEncoder().encode(await licenses()))
  return files
}

/** Their licences ask for it: the bundle holds code of these packages. */
const bundledPackages = ['preact', 'uplot'] as const

async function licenses(): Promise<string> {
  const texts = bundledPackages.map(async (name) => {
    const manifest = new URL(import.meta.resolve(`${name}/package.json`))
    return `${name}\n\n${await readFile(new URL('LICENSE', manifest), 'utf8')}`
  })
  return (await Promise.all(texts)).join('\n\n')
}
