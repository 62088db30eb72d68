/** How long a destination may be left to the other nodes. */
const patienceMs = 5000

/** Keeps the lanes of all nodes even. Each node takes its equal part, rounded up, and gives up what it has above it, for which a new node
 *  waits. A destination that nobody takes for five seconds is adopted by any node: the others may not be able to lead it, because a secret is missing
 *  there. What is adopted is kept while the nodes are as many as before, or it would go back and forth. */
export class LaneSpread {
  readonly #leftSinceMs = new Map<number, number>()
  readonly #adopted = new Set<number>()
  #nodes = 0

  /** How many of the lanes count as part of this node's share. */
  shared(laneCount: number): number {
    return laneCount - this.#adopted.size
  }

  /** @param left what is free and left to others at `nowMs`
   *  @returns those that nobody has taken for too long */
  overdue(left: readonly number[], nowMs: number): number[] {
    const isLeft = new Set(left)
    for (const id of this.#leftSinceMs.keys()) if (!isLeft.has(id)) this.#leftSinceMs.delete(id)
    return left.filter((id) => {
      const sinceMs = this.#leftSinceMs.get(id) ?? nowMs
      this.#leftSinceMs.set(id, sinceMs)
      return nowMs - sinceMs >= patienceMs
    })
  }

  adopt(destinationId: number): void {
    this.#adopted.add(destinationId)
  }

  forget(destinationId: number): void {
    this.#adopted.delete(destinationId)
  }

  /** Which of these lanes to give up; those at the end of the list first.
   *  @param total destinations of all nodes
   *  @param nodes that share them */
  surplus(destinationIds: readonly number[], total: number, nodes: number): number[] {
    if (nodes === 0) return []
    if (nodes !== this.#nodes) this.#adopted.clear()
    this.#nodes = nodes
    const shared = destinationIds.filter((id) => !this.#adopted.has(id))
    return shared.slice(Math.ceil(total / nodes))
  }
}
