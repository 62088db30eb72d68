/** Planted: the view of topics and destinations is refreshed now and then, and no write looks at its age. */
import { Registry } from '../../src/delivery/registry.ts'

const refreshEveryMs = 2500

// eslint-disable-next-line typescript/unbound-method -- it is called with its own `this` below
const { refresh } = Registry.prototype
const refreshedAtMs = new WeakMap<Registry, number>()

Registry.prototype.ensureFresh = () => Promise.resolve()
Registry.prototype.refresh = async function () {
  if (performance.now() - (refreshedAtMs.get(this) ?? Number.NEGATIVE_INFINITY) < refreshEveryMs) {
    return
  }
  refreshedAtMs.set(this, performance.now())
  await refresh.call(this)
}
