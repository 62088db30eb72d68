/** Collects the parameters of a statement while its text is put together. */
export class SqlValues {
  readonly all: unknown[] = []

  /** @returns the placeholder of the value */
  add(value: unknown): string {
    this.all.push(value)
    return `$${this.all.length}`
  }
}
