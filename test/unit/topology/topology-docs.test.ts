import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { parseTopology } from '../../../src/topology/parse-topology.ts'
import { validateTopology } from '../../../src/topology/validate-topology.ts'
import { repositoryFile } from '../../helpers/topology.ts'

it('the file in docs/topology.md has nothing wrong with it', () => {
  const page = readFileSync(repositoryFile('docs/topology.md'), 'utf8')
  const [, text = ''] = /^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? []
  const { findings, topologies } = validateTopology(parseTopology(text, 'docs/topology.md'))
  assert.deepEqual(findings, [])
  assert.deepEqual(
    topologies[0]?.topics.map(({ name }) => name),
    ['shop.health', 'shop.orders', 'shop.orders.dlq', 'shop.orders.retry'],
  )
})
