import { criteriaLimits } from './criteria-language.ts'

const { maxTopicEvaluations } = criteriaLimits

export const budgetSpent: string = `The criteria of the topic were stopped: together they take more than ${maxTopicEvaluations} times what one of them may take.`

/** What the criteria of each topic have taken for one change.
 *
 *  An evaluation is paid by each topic that has the criteria, whoever else has it: so a topic's budget ends at the same criteria beside any
 *  others, and where it is explained alone; unless all topics together compare more numbers than are read for one change. */
export class TopicBudgets {
  #sum = 0
  readonly #payments: { readonly topicUrls: Iterable<string>; readonly cost: number }[] = []
  /** Payments by topic; undefined while all together have not taken what one topic may. */
  #spent: Map<string, number> | undefined

  /** False: there is nobody whose budget may be spent. */
  get isAnySpent(): boolean {
    return this.#spent !== undefined
  }

  isSpent(topicUrl: string): boolean {
    return (this.#spent?.get(topicUrl) ?? 0) >= maxTopicEvaluations
  }

  /** @param cost see `Verdict` */
  pay(topicUrls: Iterable<string>, cost: number): void {
    const payment = { topicUrls, cost }
    if (this.#spent) {
      enter(this.#spent, payment)
      return
    }
    this.#sum += cost
    this.#payments.push(payment)
    if (this.#sum < maxTopicEvaluations) return
    this.#spent = new Map()
    for (const each of this.#payments) enter(this.#spent, each)
  }
}

function enter(
  spent: Map<string, number>,
  { topicUrls, cost }: { readonly topicUrls: Iterable<string>; readonly cost: number },
): void {
  for (const url of topicUrls) spent.set(url, (spent.get(url) ?? 0) + cost)
}
