import { createHash } from 'node:crypto'
import { clientCredentialsToken } from './client-credentials.ts'
import { mskIamToken } from './msk-iam-token.ts'
import type { TokenRequest } from './token-request.ts'
import { TokenSource, type TokenListener, type TokenSourceParts } from './token-source.ts'
import { unsecuredToken } from './unsecured-token.ts'

/** One source for all clients that ask for the same tokens; gone with the last of them. */
export class TokenSources {
  readonly #create: (request: TokenRequest) => TokenSource
  readonly #sources = new Map<string, TokenSource>()

  constructor(create: (request: TokenRequest) => TokenSource = createTokenSource) {
    this.#create = create
  }

  /** Adds a listener to the source of these tokens, to be taken away by {@link TokenSources.remove}. */
  add(request: TokenRequest, listener: TokenListener): TokenSource {
    const key = hashOf(request)
    const source = this.#sources.get(key) ?? this.#create(request)
    this.#sources.set(key, source)
    source.add(listener)
    return source
  }

  remove(request: TokenRequest, listener: TokenListener): void {
    const key = hashOf(request)
    const source = this.#sources.get(key)
    source?.remove(listener)
    if (source && !source.isUsed) this.#sources.delete(key)
  }
}

/** The hash holds the secrets, the map does not. */
function hashOf(request: TokenRequest): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex')
}

function createTokenSource(request: TokenRequest): TokenSource {
  return new TokenSource(partsOf(request))
}

function partsOf(request: TokenRequest): TokenSourceParts {
  switch (request.kind) {
    case 'client-credentials':
      return { fetchToken: (signal) => clientCredentialsToken(request, signal, Date.now()) }
    case 'msk-iam':
      return { fetchToken: () => mskIamToken(request), maxBackoffMs: request.maxBackoffMs }
    case 'unsecured':
      return { fetchToken: () => Promise.resolve(unsecuredToken(request, Date.now())) }
  }
}

/** Of the process: a connection is the same whichever part of it asks. */
export const tokenSources: TokenSources = new TokenSources()
