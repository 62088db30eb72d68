import { createRequire } from 'node:module'
import type * as NodeRdkafka from 'node-rdkafka'
import { TopicDestinationError } from '../errors.ts'

const requireCommonJs = createRequire(import.meta.url)

function load(path: string): unknown {
  try {
    return requireCommonJs(path)
  } catch (error) {
    throw new TopicDestinationError(
      'KTD_KAFKA',
      'The native part of node-rdkafka cannot be loaded: allow its install script ("allowScripts" in package.json), install a C++ toolchain, libssl-dev and zlib1g-dev, then run "npm rebuild node-rdkafka".',
      { cause: error },
    )
  }
}

/** Loaded with require, so that a missing native part is told in words. */
export const rdkafka = load('node-rdkafka') as typeof NodeRdkafka
// Not in its type definitions: the raw binding, here for its texts of error codes.
const { err2str } = load('node-rdkafka/librdkafka.js') as {
  err2str: (code: number) => string
}

const codesByText: ReadonlyMap<string, number> = new Map(
  Object.values(rdkafka.CODES.ERRORS)
    .filter((code) => typeof code === 'number')
    .map((code) => [reportText(err2str(code)), code]),
)

/** node-rdkafka's own form of a text: without "Local:" or "Broker:", in lower case. */
function reportText(text: string): string {
  const parts = text.split(': ')
  return (parts[1] ?? text).toLowerCase()
}

/** librdkafka's code for the text of a delivery report, whose own code is always -1. */
export function codeOfReport(text: string): number | undefined {
  return codesByText.get(text)
}
