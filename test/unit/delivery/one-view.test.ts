import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { OneView } from '../../../src/delivery/one-view.ts'

const nothing = (): Promise<void> => Promise.resolve()

describe('OneView', () => {
  it('repeats work during which the view was replaced', async () => {
    const view = new OneView()
    let times = 0
    const result = await view.during(async () => {
      times++
      if (times < 3) await view.replace(nothing)
      return times
    })
    assert.deepEqual({ result, times }, { result: 3, times: 3 })
  })

  it('begins no work while the view is replaced, also when that fails', async () => {
    const view = new OneView()
    const order: string[] = []
    const replaced = view.replace(async () => {
      order.push('replacing')
      await setImmediate()
      order.push('replaced')
      throw new Error('no view')
    })
    const done = view.during(() => Promise.resolve(order.push('work')))
    await assert.rejects(replaced, /no view/)
    await done
    assert.deepEqual(order, ['replacing', 'replaced', 'work'])
  })

  it('lets work end that was repeated again and again, and then replaces the view', async () => {
    const view = new OneView()
    const replacements: Promise<void>[] = []
    let times = 0
    let replaced = 0
    await view.during(async () => {
      times++
      await setImmediate()
      replacements.push(
        view.replace(() => {
          replaced++
          return Promise.resolve()
        }),
      )
      for (let turn = 0; turn < 10; turn++) await setImmediate()
    })
    assert.equal(times, 4)
    await Promise.all(replacements)
    assert.equal(replaced, 4)
  })

  it('replaces the view nevertheless when the work does not end in time', async () => {
    const view = new OneView(1)
    let times = 0
    await view.during(async () => {
      times++
      if (times <= 5) await view.replace(nothing)
    })
    assert.equal(times, 6)
  })

  it('hands on what the work throws, and holds nothing after it', async () => {
    const view = new OneView()
    let times = 0
    const failing = view.during(async () => {
      times++
      if (times < 4) return view.replace(nothing)
      throw new Error('no result')
    })
    await assert.rejects(failing, /no result/)
    await view.replace(nothing)
    assert.equal(times, 4)
  })
})
