import assert from 'node:assert/strict'
import smart from 'fhirclient'
import { destination, fhirPathPatch, settings, step, topic, transaction } from './journey.mjs'

const { url: serverUrl, user: username, password } = settings
const client = smart({ headers: {} }, {}).client({ serverUrl, username, password })
const path = 'AidboxTopicDestination'
const status = (code) => (error) => {
  assert.equal(error.statusCode ?? error.status, code, error)
  return true
}
const send = (url, method, body, contentType = 'application/fhir+json', headers = {}) =>
  client.request({
    url,
    method,
    headers: { 'Content-Type': contentType, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
let written
let made
let last

await step('metadata', async () => {
  assert.equal(await client.getFhirVersion(), '4.0.1')
  assert.equal(await client.getFhirRelease(), 4)
})
await step('create', async () => {
  const created = await client.create(topic())
  written = destination(created.url)
  made = await client.create(written)
  assert.equal(made.meta.versionId, '1')
})
await step('read', async () => {
  const read = await client.request(`${path}/${made.id}`)
  assert.deepEqual(read.parameter, written.parameter)
})
await step('search', async () => {
  const query = encodeURIComponent(written.topic)
  const found = await client.request(`${path}?topic=${query}`)
  assert.deepEqual([found.total, found.entry[0].resource.id], [1, made.id])
  assert.equal((await client.request(`${path}?_id=${made.id}`)).total, 1)
  assert.equal((await client.request(`AidboxSubscriptionTopic?url=${query}`)).total, 1)
})
await step('search by POST', async () => {
  const body = new URLSearchParams({ topic: written.topic }).toString()
  const found = await send(`${path}/_search`, 'POST', body, 'application/x-www-form-urlencoded')
  assert.equal(found.total, 1)
})
await step('paging', async () => {
  const family = `Paging${made.id}`
  for (let count = 0; count < 3; count++) {
    await client.create({ resourceType: 'Patient', name: [{ family }] })
  }
  const flat = await client.request(`Patient?family=${family}&_count=1`, {
    pageLimit: 0,
    flat: true,
  })
  assert.equal(flat.length, 3)
})
await step('conditional create', async () => {
  const headers = { 'If-None-Exist': `topic=${encodeURIComponent(written.topic)}` }
  const again = await send(path, 'POST', written, undefined, headers)
  assert.equal(again.id, made.id)
})
await step('update with If-Match', async () => {
  const changed = { ...made, content: 'id-only' }
  last = await client.update(changed, { headers: { 'If-Match': 'W/"1"' } })
  assert.equal(last.meta.versionId, '2')
  await assert.rejects(client.update(changed, { headers: { 'If-Match': 'W/"1"' } }), status(412))
})
await step('JSON Patch', async () => {
  const patch = [{ op: 'replace', path: '/content', value: 'empty' }]
  last = await client.patch(`${path}/${made.id}`, patch)
  assert.equal(last.content, 'empty')
})
await step('merge patch', async () => {
  const patch = { content: 'id-only' }
  last = await send(`${path}/${made.id}`, 'PATCH', patch, 'application/merge-patch+json')
  assert.equal(last.content, 'id-only')
})
await step('FHIRPath Patch', async () => {
  last = await send(`${path}/${made.id}`, 'PATCH', fhirPathPatch(`${path}.content`, 'empty'))
  assert.equal(last.content, 'empty')
})
await step('vread', async () => {
  assert.deepEqual(await client.request(`${path}/${made.id}/_history/1`), made)
})
await step('history', async () => {
  const { total } = await client.request(`${path}/${made.id}/_history`)
  assert.equal(total, Number(last.meta.versionId))
})
await step('transaction', async () => {
  const answer = await send('', 'POST', transaction())
  assert.deepEqual(
    answer.entry.map(({ response }) => response.status.slice(0, 3)),
    ['201', '201'],
  )
})
await step('$status', async () => {
  const found = await client.request(`${path}/${made.id}/$status`)
  assert.ok(found.parameter.some(({ name }) => name === 'messagesDelivered'))
})
await step('refusal', async () => {
  const { parameter, ...without } = written
  await assert.rejects(client.create({ ...without, parameter: parameter.slice(1) }), status(422))
})
await step('delete', async () => {
  await client.delete(`${path}/${made.id}`)
  await assert.rejects(client.request(`${path}/${made.id}`), status(404))
})
