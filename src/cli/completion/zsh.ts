import { bashCompletion } from './bash.ts'
import type { CompletionNode } from './completion-nodes.ts'

/** zsh runs functions of bash itself. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  const [, ...lines] = bashCompletion(nodes).split('\n')
  return `# zsh completion of fhir-kafka, behind compinit: source <(fhir-kafka completion zsh)
autoload -U +X bashcompinit && bashcompinit
${lines.join('\n')}`
}
