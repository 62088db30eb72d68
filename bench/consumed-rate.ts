import { followTopic } from './follow-topic.ts'

/** Events a second between the first and the last record at a `read_committed` consumer.
 *  @param run begins to send them */
export async function consumedRate(
  bootstrapServers: string,
  kafkaTopic: string,
  events: number,
  run: () => Promise<void> | void,
): Promise<number> {
  let seen = 0
  let firstMs = 0
  let lastMs = 0
  const follower = await followTopic(bootstrapServers, kafkaTopic, (_value, arrivedMs) => {
    if (seen++ === 0) firstMs = arrivedMs
    lastMs = arrivedMs
  })
  try {
    await run()
    await follower.until(() => seen >= events)
  } finally {
    await follower.stop()
  }
  return (events / (lastMs - firstMs)) * 1000
}
