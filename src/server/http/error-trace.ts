/** Where and of which class an error is. Its message stays out of the log: it may quote SQL parameters or a resource. */
export function withoutContent(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { type: error.name, ...code, stack: frames.join('\n') }
}
