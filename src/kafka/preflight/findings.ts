import type { KafkaCause, KafkaCauseName } from '../kafka-causes.ts'

export type FindingSeverity = 'error' | 'warning' | 'information'

/** Something that a preflight has found, or could not find out. */
export interface PreflightFinding {
  readonly severity: FindingSeverity
  /** In words for an operator. */
  readonly message: string
  /** Undefined when no row of the table of causes is about it. */
  readonly causeName: KafkaCauseName | undefined
}

/** What one preflight has found so far, each thing once, and what it has not looked at. */
export class Findings {
  readonly #found = new Map<string, PreflightFinding>()
  readonly #brokers = new Set<string>()
  #underWay: string | undefined
  readonly #failed: string[] = []

  /** Something is wrong with this broker. */
  isAbout(broker: string): boolean {
    return this.#brokers.has(broker)
  }

  add(severity: FindingSeverity, { name, message, broker }: KafkaCause): void {
    if (severity === 'error' && broker !== undefined) this.#brokers.add(broker)
    if (!this.#found.has(message)) this.#found.set(message, { severity, message, causeName: name })
  }

  /** Something to know. */
  remark(message: string): void {
    this.#found.set(message, { severity: 'information', message, causeName: undefined })
  }

  /** Does a part of the work. What nobody foresaw is told as not looked at, and does not keep the other parts from it. */
  async step(what: string, work: () => Promise<unknown>): Promise<void> {
    this.#underWay = what
    try {
      await work()
    } catch {
      this.#failed.push(what)
    }
    this.#underWay = undefined
  }

  conclude(timeoutMs: number): readonly PreflightFinding[] {
    const late =
      this.#underWay === undefined
        ? []
        : [
            incomplete(
              `The preflight has not come to an end within ${timeoutMs} ms: ${this.#underWay} took too long, and what comes after it was not looked at.`,
            ),
          ]
    return [
      ...this.#found.values(),
      ...this.#failed.map((what) => incomplete(`The preflight could not look at ${what}.`)),
      ...late,
    ]
  }
}

function incomplete(message: string): PreflightFinding {
  return { severity: 'error', message, causeName: undefined }
}
