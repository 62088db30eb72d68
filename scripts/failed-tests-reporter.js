// JavaScript, because Node 20 loads a reporter before tsx.

/** A reporter for `node --test`: names the tests that failed, with their errors, after everything else. Prints nothing when all have passed.
 *
 *  @param {AsyncIterable<import('node:test/reporters').TestEvent>} events
 *  @returns {AsyncGenerator<string>} */
export default async function* failedTests(events) {
  const failed = []
  for await (const event of events) {
    if (event.type !== 'test:fail') continue
    const { error } = event.data.details
    // A suite that fails by its tests adds nothing to them.
    if (error.failureType === 'subtestsFailed') continue
    const text = error.cause?.stack ?? `${error.message} (${error.signal ?? error.code})`
    failed.push(`${event.data.name}\n  ${event.data.file}\n  ${text.replaceAll('\n', '\n  ')}\n`)
  }
  if (failed.length > 0) yield `\nFailed tests: ${failed.length}\n\n${failed.join('\n')}`
}
