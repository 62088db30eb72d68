export interface QueueTurnsParts {
  /** Most queues that are at work at the same time. */
  readonly maxAtOnce: number
  readonly onError: (error: unknown) => void
  /** A turn in which there was something to do has ended while others had to wait: call {@link QueueTurns.start} again. */
  readonly onRoom: () => void
}

/** Works on queues beside each other, on each once at a time: one that takes long holds up no other, as long as there is room. They take turns, so
 *  that a few that take long cannot keep the room for themselves. */
export class QueueTurns {
  readonly #parts: QueueTurnsParts
  readonly #turns = new Map<number, Promise<void>>()
  /** Where the next turn goes on. */
  #lastTopicId = 0
  #isAnyWaiting = false

  constructor(parts: QueueTurnsParts) {
    this.#parts = parts
  }

  /** Starts work on as many of these queues as there is room for, by their ids, behind the one that was started last. Those at work go on.
   *  @param queues what is to be done now: who waited before and is not there any more, waits no longer
   *  @param work answers whether there was something to do */
  start<Queue extends { readonly topicId: number }>(
    queues: readonly Queue[],
    work: (queue: Queue) => Promise<boolean>,
  ): void {
    const last = this.#lastTopicId
    const waiting = queues
      .filter(({ topicId }) => !this.#turns.has(topicId))
      .toSorted((one, other) => one.topicId - other.topicId)
    const inOrder = [
      ...waiting.filter(({ topicId }) => topicId > last),
      ...waiting.filter(({ topicId }) => topicId <= last),
    ]
    for (const queue of inOrder.splice(0, this.#parts.maxAtOnce - this.#turns.size)) {
      this.#lastTopicId = queue.topicId
      this.#turns.set(queue.topicId, this.#turn(queue.topicId, work(queue)))
    }
    this.#isAnyWaiting = inOrder.length > 0
  }

  /** Resolves when no queue is at work. */
  async ended(): Promise<void> {
    await Promise.all(this.#turns.values())
  }

  async #turn(topicId: number, work: Promise<boolean>): Promise<void> {
    const { onError, onRoom } = this.#parts
    const isDone = await work.catch((error: unknown) => {
      onError(error)
      return false
    })
    this.#turns.delete(topicId)
    // Another node may be at work on the queue: to ask again at once would only keep the database busy.
    if (isDone && this.#isAnyWaiting) onRoom()
  }
}
