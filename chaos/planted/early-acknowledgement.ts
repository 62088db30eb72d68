/** Planted: Kafka's commit is reported before it is done, so that the page is acknowledged first. */
import rdkafka from 'node-rdkafka'

type Done = (error: unknown) => void
type Call = (this: rdkafka.Producer, timeoutMs: number, done: Done) => unknown

const commitLaterMs = 100
const prototype = rdkafka.Producer.prototype as unknown as {
  commitTransaction: Call
  beginTransaction: (this: rdkafka.Producer, done: Done) => unknown
}
const { commitTransaction, beginTransaction } = prototype
const commits = new WeakMap<rdkafka.Producer, Promise<void>>()

prototype.commitTransaction = function (timeoutMs, done) {
  const committed = new Promise<void>((resolve) => {
    setTimeout(() => {
      commitTransaction.call(this, timeoutMs, () => {
        resolve()
      })
    }, commitLaterMs)
  })
  commits.set(this, committed)
  done(null)
  return this
}

prototype.beginTransaction = function (done) {
  void (commits.get(this) ?? Promise.resolve()).then(() => beginTransaction.call(this, done))
  return this
}
