import assert from 'node:assert/strict'
import { Client } from 'fhir-kit-client'
import { destination, fhirPathPatch, settings, step, topic, transaction } from './journey.mjs'

const client = new Client({ baseUrl: settings.url, bearerToken: settings.token })
const resourceType = 'AidboxTopicDestination'
const withHeaders = (headers) => ({ options: { headers } })
const status = (code) => (error) => {
  assert.equal(error.response?.status, code)
  assert.equal(error.response.data.resourceType, 'OperationOutcome')
  assert.ok(error.response.data.issue.length > 0)
  return true
}
let written
let made
let last

await step('metadata', async () => {
  const { fhirVersion, rest } = await client.capabilityStatement()
  assert.equal(fhirVersion, '4.0.1')
  assert.ok(rest[0].resource.some(({ type }) => type === resourceType))
})
await step('create', async () => {
  const body = topic()
  const created = await client.create({ resourceType: body.resourceType, body })
  assert.deepEqual({ ...body, id: created.id, meta: created.meta }, created)
  written = destination(created.url)
  made = await client.create({ resourceType, body: written })
  const { response } = Client.httpFor(made)
  assert.equal(response.status, 201)
  assert.equal(
    response.headers.get('location'),
    `${settings.url}/${resourceType}/${made.id}/_history/1`,
  )
})
await step('read', async () => {
  const read = await client.read({ resourceType, id: made.id })
  assert.deepEqual(read.parameter, written.parameter)
  assert.deepEqual(read.meta.profile, written.meta.profile)
})
await step('search', async () => {
  const found = await client.search({ resourceType, searchParams: { topic: written.topic } })
  assert.deepEqual([found.total, found.entry[0].resource.id], [1, made.id])
  const byId = await client.search({ resourceType, searchParams: { _id: made.id } })
  assert.equal(byId.entry[0].resource.topic, written.topic)
  const byUrl = { resourceType: 'AidboxSubscriptionTopic', searchParams: { url: written.topic } }
  assert.equal((await client.search(byUrl)).total, 1)
})
await step('search by POST', async () => {
  const searchParams = { topic: written.topic }
  const found = await client.search({ resourceType, searchParams, options: { postSearch: true } })
  assert.deepEqual([found.total, found.entry[0].resource.id], [1, made.id])
})
await step('paging', async () => {
  for (let count = 0; count < 3; count++) {
    await client.create({
      resourceType: 'Patient',
      body: { resourceType: 'Patient', name: [{ family: `Paging${made.id}` }] },
    })
  }
  const searchParams = { family: `Paging${made.id}`, _count: 2 }
  const first = await client.search({ resourceType: 'Patient', searchParams })
  assert.equal(first.entry.length, 2)
  const second = await client.nextPage({ bundle: first })
  assert.equal(second.entry.length, 1)
})
await step('conditional create', async () => {
  const again = await client.create({
    resourceType,
    body: written,
    ...withHeaders({ 'If-None-Exist': `topic=${encodeURIComponent(written.topic)}` }),
  })
  assert.equal(again.id, made.id)
})
await step('update with If-Match', async () => {
  const changed = { ...made, content: 'id-only' }
  const update = (version) =>
    client.update({
      resourceType,
      id: made.id,
      body: changed,
      ...withHeaders({ 'If-Match': `W/"${version}"` }),
    })
  last = await update(made.meta.versionId)
  assert.deepEqual([last.content, last.meta.versionId], ['id-only', '2'])
  await assert.rejects(update('1'), status(412))
})
await step('JSON Patch', async () => {
  const jsonPatch = [{ op: 'replace', path: '/content', value: 'empty' }]
  last = await client.patch({ resourceType, id: made.id, jsonPatch })
  assert.equal(last.content, 'empty')
})
await step('merge patch', async () => {
  last = await client.request(`${resourceType}/${made.id}`, {
    method: 'PATCH',
    body: { content: 'id-only' },
    ...withHeaders({ 'Content-Type': 'application/merge-patch+json' }),
  })
  assert.equal(last.content, 'id-only')
})
await step('FHIRPath Patch', async () => {
  last = await client.request(`${resourceType}/${made.id}`, {
    method: 'PATCH',
    body: fhirPathPatch(`${resourceType}.content`, 'empty'),
    ...withHeaders({ 'Content-Type': 'application/fhir+json' }),
  })
  assert.equal(last.content, 'empty')
})
await step('vread', async () => {
  const first = await client.vread({ resourceType, id: made.id, version: '1' })
  assert.deepEqual(first, made)
})
await step('history', async () => {
  const { entry } = await client.history({ resourceType, id: made.id })
  assert.equal(entry.length, Number(last.meta.versionId))
})
await step('transaction', async () => {
  const answer = await client.transaction({ body: transaction() })
  assert.deepEqual(
    answer.entry.map(({ response }) => response.status.slice(0, 3)),
    ['201', '201'],
  )
})
await step('$status', async () => {
  for (const method of ['GET', 'POST']) {
    const found = await client.operation({ name: 'status', resourceType, id: made.id, method })
    assert.ok(found.parameter.some(({ name }) => name === 'messagesDelivered'))
  }
})
await step('refusal', async () => {
  const body = { ...written, parameter: [...written.parameter, { name: 'x', valueString: 'y' }] }
  await assert.rejects(client.create({ resourceType, body }), status(422))
})
await step('delete', async () => {
  await client.delete({ resourceType, id: made.id })
  await assert.rejects(client.read({ resourceType, id: made.id }), status(404))
})
