import { evalFhirPathTyped, parseFhirPath, toTypedValue } from '@medplum/core'
import { compile } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import type { Change } from '../../src/host/types.ts'
import type { SubscriptionTopic } from '../../src/triggers/subscription-topic.ts'

/** Urls of the topics that a change fires. */
export type Match = (change: Change) => readonly string[]

/** Every criteria of every topic, compiled once and evaluated for each change, by fhirpath.js. */
export function naiveFhirPath(topics: readonly SubscriptionTopic[]): Match {
  return naive(topics, (text) => {
    const evaluate = compile(text, r4, { resolveInternalTypes: false })
    return ({ current = [], previous = [] }) => {
      const [result] = evaluate(current, { current, previous }) as unknown[]
      return result === true
    }
  })
}

/** The same by @medplum/core, without units, dates and `resolve()`. */
export function naiveMedplum(topics: readonly SubscriptionTopic[]): Match {
  return naive(topics, (text) => {
    const ast = parseFhirPath(text)
    return ({ current = {}, previous = {} }) => {
      const variables = { '%current': toTypedValue(current), '%previous': toTypedValue(previous) }
      return evalFhirPathTyped(ast, [toTypedValue(current)], variables)[0]?.value === true
    }
  })
}

function naive(
  topics: readonly SubscriptionTopic[],
  compileText: (text: string) => (change: Change) => boolean,
): Match {
  const programs = new Map<string, (change: Change) => boolean>()
  const triggers = topics.flatMap(({ url, triggers: own }) =>
    own.map(({ criteria = 'true', ...rest }) => {
      const fires = programs.get(criteria) ?? compileText(criteria)
      programs.set(criteria, fires)
      return { ...rest, url, fires }
    }),
  )
  return (change) => {
    const fired: string[] = []
    for (const { url, resourceType, interactions, fires } of triggers) {
      if (resourceType !== change.resourceType || !interactions.includes(change.interaction))
        continue
      if (fires(change)) fired.push(url)
    }
    return fired
  }
}
