import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { HttpRequest } from '../http/express.ts'
import { securityHeaders } from './security-headers.ts'

interface Asset {
  readonly type: string
  readonly etag: string
  readonly plain: Uint8Array
  readonly gzipped: Uint8Array
}

const typesByExtension: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
}

let assets: Promise<ReadonlyMap<string, Asset>> | undefined

/** Serves the page and what it is made of, to everybody: they are the same for all and hold nothing.
 *  @returns false: there is no such file */
export async function serveAsset(
  request: HttpRequest,
  response: ServerResponse,
  pathname: string,
): Promise<boolean> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  if (pathname === '/' && isWithoutSlash(request)) {
    const name = (request.baseUrl ?? '').split('/').at(-1) ?? ''
    response.writeHead(308, { ...securityHeaders, location: `./${name}/` }).end()
    return true
  }
  assets ??= loadAssets()
  const found = (await assets).get(pathname === '/' ? 'index.html' : pathname.slice(1))
  if (!found) return false
  const isGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const headers = {
    ...securityHeaders,
    'content-type': found.type,
    'cache-control': 'no-cache',
    etag: found.etag,
    vary: 'accept-encoding',
  }
  if (request.headers['if-none-match'] === found.etag) {
    response.writeHead(304, headers).end()
    return true
  }
  const bytes = isGzip ? found.gzipped : found.plain
  response.writeHead(200, {
    ...headers,
    'content-length': bytes.length,
    ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
  return true
}

/** The addresses in the page are relative: without the slash they would miss. */
function isWithoutSlash(request: HttpRequest & { originalUrl?: string }): boolean {
  const [path = '/'] = (request.originalUrl ?? '/').split('?', 1)
  return !path.endsWith('/')
}

async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const files = new Map<string, Asset>()
  for (const [name, plain] of await readFiles()) {
    const type = typesByExtension[name.slice(name.lastIndexOf('.') + 1)]
    if (type === undefined) continue
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
    files.set(name, { type, etag, plain, gzipped: await promisify(gzip)(plain) })
  }
  return files
}

/** Of the package the files lie beside this one; of a clone they are made now. */
async function readFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  if (import.meta.url.endsWith('.ts')) return (await import('./bundle.ts')).bundleConsole()
  const folder = new URL('./browser/', import.meta.url)
  const files = new Map<string, Uint8Array>()
  for (const name of await readdir(folder)) files.set(name, await readFile(new URL(name, folder)))
  return files
}
