/** What every client does, in this order. */
export const steps = [
  'metadata',
  'create',
  'read',
  'search',
  'search by POST',
  'paging',
  'conditional create',
  'update with If-Match',
  'JSON Patch',
  'merge patch',
  'FHIRPath Patch',
  'vread',
  'history',
  'transaction',
  '$status',
  'refusal',
  'delete',
] as const

export interface Report {
  readonly result: 'ok' | 'failed' | 'not offered'
  readonly detail: string
}

/** Reads lines of the form `ok|failed|not offered`, tab, step, tab, detail; other lines are the client's own. */
export function reportsInLines(output: string): Map<string, Report> {
  const reports = new Map<string, Report>()
  for (const line of output.split('\n')) {
    const [result, step = '', detail = ''] = line.split('\t')
    if (result === 'ok' || result === 'failed' || result === 'not offered') {
      reports.set(step, { result, detail })
    }
  }
  return reports
}

/** Reads the output of `ansible-playbook`, whose plays are named as the steps. */
export function reportsOfPlaybook(output: string): Map<string, Report> {
  const reports = new Map<string, Report>()
  for (const play of output.split(/^PLAY /m).slice(1)) {
    const step = /^\[(.*?)\]/.exec(play)?.[1]
    if (step === undefined) continue
    const failure = /^fatal: .*/m.exec(play)?.[0]
    reports.set(step, {
      result: failure === undefined ? 'ok' : 'failed',
      detail: failure?.slice(0, 500) ?? '',
    })
  }
  return reports
}
