import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { json, parameters, run } from './answering-server.ts'

/** Clears a screen, by one character or two. */
const hostile = '\u009B2J\u001B[2J'
const shown = String.raw`\u009b2J\e[2J`

describe('a server that writes to the terminal of its reader', () => {
  it('is shown escaped in a status and in dead letters', async (t) => {
    const status = parameters({ name: 'status', valueString: hostile })
    const event = { name: 'event', part: [{ name: 'error', valueString: hostile }] }
    const watched = await run(t, ['status', 'd'], [json(status)])
    assert.equal(watched.out, `ok\nstatus: "${shown}"\n`)
    const listed = await run(t, ['dead-letters', 'd'], [json(parameters(event))])
    assert.equal(listed.out, `event:\n  - error: "${shown}"\n`)
  })

  it('is shown escaped in the progress of a job', async (t) => {
    const job = (state: string): object =>
      parameters({
        name: 'job',
        part: [
          { name: 'id', valueString: hostile },
          { name: 'kind', valueCode: hostile },
          { name: 'state', valueCode: state },
          { name: 'sent', valueString: hostile },
          { name: 'failed', valueInteger: 0 },
        ],
      })
    const args = ['replay', 'd', '--all', '--wait']
    const { err } = await run(t, args, [json(job('running')), json(job('done'))], {
      isTerminal: true,
    })
    const [line, ...others] = err.split('\r\u001B[K').filter(Boolean)
    assert.match(line ?? '', /^"[ -~]+"$/)
    assert.deepEqual(others, [`${line}\n`])
  })

  it('is shown escaped in the addresses that it links to', async (t) => {
    for (const url of [`http://${hostile}`, hostile]) {
      const bundle = { resourceType: 'Bundle', link: [{ relation: 'next', url }] }
      const missing = json({ resourceType: 'OperationOutcome' }, 404)
      const { code, err } = await run(t, ['destinations'], [json(bundle), missing])
      assert.equal(code, 1)
      assert.match(err, /^"[ -~]*\?2J\\u001b\[2J" [ -~]+\n$/)
    }
  })
})
