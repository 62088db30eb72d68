import type { Finding } from './finding.ts'
import type { ResolvedTopology } from './resolved-topology.ts'

/** Check L10 against a page: which topics of the file it does not name, and which ones it names that are not in the file.
 *
 *  A word of the page counts as a topic when it starts with a prefix of `naming.allow`; one that ends in `*` is a pattern. Consumer groups may be named as well. */
export function documentationFindings(
  { topics, groups, allow }: ResolvedTopology,
  page: string,
  pageFile: string,
): Finding[] {
  const words = new Set(
    [...page.matchAll(/[A-Za-z0-9._-]+\*?/g)].map(([word]) => word.replace(/\.+$/, '')),
  )
  const missing = topics
    .filter(({ name }) => !words.has(name))
    .map(({ name, declaredAt: path }): Finding => {
      const message = `"${name}" is not on the page ${pageFile}; write the page anew with topology docs.`
      return { check: 'L10', severity: 'error', message, path }
    })
  const declared = new Set([...topics, ...groups].map(({ name }) => name))
  const undeclared = [...words]
    .filter((word) => allow.some((prefix) => word.startsWith(prefix) && word !== prefix))
    .filter((word) => !word.endsWith('*') && !declared.has(word))
    .map((word): Finding => {
      const message = `The page ${pageFile} names "${word}", which is not in the file; add the topic, or write the page anew with topology docs.`
      return { check: 'L10', severity: 'error', message, path: ['topics'] }
    })
  return [...missing, ...undeclared]
}
