/** What a caller of the API is told. */
export class ConsoleError extends Error {
  readonly status: number

  /** @param message one sentence for people, without secrets and resource content */
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
