/** What a caller of the API is told. */
export class ConsoleError extends Error {
  readonly status: number
  /** Of the answer, by name. */
  readonly headers: Readonly<Record<string, string>>

  /** @param message one sentence for people, without secrets and resource content */
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** @param methods that are possible there */
export function notAllowed(methods: readonly string[]): ConsoleError {
  return new ConsoleError(405, 'This is not possible here.', { allow: methods.join(', ') })
}
