import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SignInLimit } from '../../../src/console/sign-in-limit.ts'

const minuteMs = 60_000
const tooMany = { status: 429, headers: { 'retry-after': '60' } }

function fail(limit: SignInLimit, address: string, times: number, nowMs = 0): void {
  for (let index = 0; index < times; index++) limit.begin(address, nowMs)
}

describe('SignInLimit', () => {
  it('stops one address and lets another one try, until the minute is over', () => {
    const limit = new SignInLimit()
    fail(limit, '192.0.2.1', 10)
    assert.throws(() => limit.begin('192.0.2.1', 0), tooMany)
    limit.begin('192.0.2.2', 0)
    assert.throws(() => limit.begin('192.0.2.1', minuteMs - 1), { status: 429 })
    limit.begin('192.0.2.1', minuteMs)
  })

  it('counts no success', () => {
    const limit = new SignInLimit()
    fail(limit, '192.0.2.1', 9)
    for (let index = 0; index < 300; index++) limit.begin('192.0.2.1', 0)()
    limit.begin('192.0.2.1', 0)
    assert.throws(() => limit.begin('192.0.2.1', 0), tooMany)
  })

  it('stops all after two hundred failures, from wherever they come', () => {
    const limit = new SignInLimit()
    for (let index = 0; index < 200; index++) limit.begin(`192.0.2.${index}`, 0)
    assert.throws(() => limit.begin('198.51.100.1', 0), tooMany)
  })

  it('takes a network of IPv6 for one address, and an address of IPv4 for itself', () => {
    const limit = new SignInLimit()
    for (let index = 1; index <= 10; index++) limit.begin(`2001:db8:0:1::${index}`, 0)
    assert.throws(() => limit.begin('2001:db8:0:1:ffff::1', 0), tooMany)
    limit.begin('2001:db8:0:2::1', 0)
    fail(limit, '::ffff:192.0.2.1', 10)
    limit.begin('::ffff:192.0.2.2', 0)
  })

  it('begins anew where the clock was set back', () => {
    const limit = new SignInLimit()
    fail(limit, '192.0.2.1', 10, 10 * minuteMs)
    limit.begin('192.0.2.1', 0)
  })
})
