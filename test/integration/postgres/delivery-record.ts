/** What one consumer saw, judged as it comes. Versions of one resource rise by one in the order of their commits. */
export class DeliveryRecord {
  readonly #numbers = new Map<string, number>()
  readonly #versions = new Map<string, number>()
  #expected = 1
  redelivered = 0
  misordered = 0
  renumbered = 0
  gaps = 0

  see(resourceId: string, version: number, eventNumber: number): void {
    const event = `${resourceId}/${version}`
    const before = this.#numbers.get(event)
    if (before !== undefined) {
      this.redelivered++
      if (before !== eventNumber) this.renumbered++
      return
    }
    if (eventNumber !== this.#expected) this.gaps++
    this.#expected = eventNumber + 1
    if (version < (this.#versions.get(resourceId) ?? 0)) this.misordered++
    this.#versions.set(resourceId, version)
    this.#numbers.set(event, eventNumber)
  }

  get count(): number {
    return this.#numbers.size
  }

  /** Events of `written` that never came. */
  lost(written: readonly string[]): number {
    return written.filter((event) => !this.#numbers.has(event)).length
  }
}
