import type { LibrdKafkaError } from 'node-rdkafka'

/** A call of node-rdkafka as a promise of what its callback gets.
 *  @throws {@link Error} in librdkafka's words, with node-rdkafka's error as cause */
export async function rdkafkaCall<Result = unknown>(
  start: (done: (error: LibrdKafkaError, result?: Result) => void) => unknown,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      // The types promise an error to every callback; without one it gets null or nothing.
      if (error as unknown) reject(new Error(error.message, { cause: error }))
      else resolve(result as Result)
    })
  })
}
