import assert from 'node:assert/strict'
import { MedplumClient } from '@medplum/core'
import { destination, notOffered, settings, step, topic, transaction } from './journey.mjs'

const [, baseUrl, fhirUrlPath] = /^(.*\/)([^/]+)$/.exec(settings.url)
const client = new MedplumClient({ baseUrl, fhirUrlPath, cacheTime: 0 })
client.setBasicAuth(settings.user, settings.password)
const resourceType = 'AidboxTopicDestination'
const outcome = (code) => (error) => {
  assert.equal(error.outcome?.issue[0].code, code, error)
  return true
}
const uncached = { cache: 'reload' }
let written
let made
let last

await step('metadata', async () => {
  const { fhirVersion } = await client.get(client.fhirUrl('metadata'))
  assert.equal(fhirVersion, '4.0.1')
})
await step('create', async () => {
  const created = await client.createResource(topic())
  written = destination(created.url)
  made = await client.createResource(written)
  assert.equal(made.meta.versionId, '1')
})
await step('read', async () => {
  const read = await client.readResource(resourceType, made.id, uncached)
  assert.deepEqual(read.parameter, written.parameter)
})
await step('search', async () => {
  const found = await client.search(resourceType, { topic: written.topic })
  assert.deepEqual([found.total, found.entry[0].resource.id], [1, made.id])
  const one = await client.searchOne('AidboxSubscriptionTopic', { url: written.topic })
  assert.equal(one.url, written.topic)
  assert.equal((await client.searchResources(resourceType, `_id=${made.id}`)).length, 1)
})
await step('search by POST', async () => {
  const body = new URLSearchParams({ topic: written.topic })
  const url = client.fhirUrl(resourceType, '_search')
  const found = await client.post(url, body.toString(), 'application/x-www-form-urlencoded')
  assert.equal(found.total, 1)
})
await step('paging', async () => {
  const family = `Paging${made.id}`
  for (let count = 0; count < 3; count++) {
    await client.createResource({ resourceType: 'Patient', name: [{ family }] })
  }
  let seen = 0
  for await (const page of client.searchResourcePages('Patient', { family, _count: 1 })) {
    seen += page.length
  }
  assert.equal(seen, 3)
})
await step('conditional create', async () => {
  const again = await client.createResourceIfNoneExist(
    written,
    `topic=${encodeURIComponent(written.topic)}`,
  )
  assert.equal(again.id, made.id)
})
await step('update with If-Match', async () => {
  const changed = { ...made, content: 'id-only' }
  const options = { headers: { 'If-Match': 'W/"1"' } }
  last = await client.updateResource(changed, options)
  assert.equal(last.meta.versionId, '2')
  const stale = client.updateResource({ ...changed, content: 'empty' }, options)
  await assert.rejects(stale, outcome('processing'))
})
await step('JSON Patch', async () => {
  last = await client.patchResource(resourceType, made.id, [
    { op: 'replace', path: '/content', value: 'empty' },
  ])
  assert.equal(last.content, 'empty')
})
for (const name of ['merge patch', 'FHIRPath Patch']) notOffered(name, 'it sends JSON Patch only')
await step('vread', async () => {
  assert.deepEqual(await client.readVersion(resourceType, made.id, '1'), made)
})
await step('history', async () => {
  const { entry } = await client.readHistory(resourceType, made.id)
  assert.equal(entry.length, Number(last.meta.versionId))
})
await step('transaction', async () => {
  const answer = await client.executeBatch(transaction())
  assert.deepEqual(
    answer.entry.map(({ response }) => response.status.slice(0, 3)),
    ['201', '201'],
  )
})
await step('$status', async () => {
  const found = await client.get(client.fhirUrl(resourceType, made.id, '$status'))
  assert.ok(found.parameter.some(({ name }) => name === 'messagesDelivered'))
})
await step('refusal', async () => {
  await assert.rejects(client.createResource({ ...written, kind: 'x' }), (error) => {
    assert.ok(error.outcome.issue[0].expression.includes(`${resourceType}.kind`), error)
    return true
  })
})
await step('delete', async () => {
  await client.deleteResource(resourceType, made.id)
  await assert.rejects(client.readResource(resourceType, made.id, uncached), outcome('not-found'))
})
