import rdkafka from 'node-rdkafka'

export interface MockKafka {
  readonly bootstrapServers: string
  stop(): Promise<void>
}

/** librdkafka's own mock cluster of one broker, in this process and in memory: for trying out, not a Kafka. It creates topics
 *  by use, keeps 5 MB a partition, knows transactions but no fencing, no ACLs and no authentication, and is gone after `stop()`.
 *  Clients on this machine can reach it as any broker. */
export async function startMockKafka(): Promise<MockKafka> {
  const client = new rdkafka.Producer(
    // The types do not list the setting: it is in librdkafka's CONFIGURATION.md.
    { 'client.id': 'mock-cluster', log_level: 0, ...{ 'test.mock.num.brokers': 1 } },
    {},
  )
  const metadata = await new Promise<rdkafka.Metadata>((resolve, reject) => {
    client.connect({ timeout: 10_000 }, (error, data) => {
      // The types promise an error; without one it is null.
      if (error as unknown) {
        reject(new Error(`librdkafka's mock cluster did not start: ${error.message}`))
      } else {
        resolve(data)
      }
    })
  })
  const bootstrapServers = metadata.brokers.map(({ host, port }) => `${host}:${port}`).join(',')
  let stopped: Promise<void> | undefined
  return {
    bootstrapServers,
    stop: () =>
      (stopped ??= new Promise((resolve) => {
        client.disconnect(() => {
          resolve()
        })
      })),
  }
}
