import { isIP } from 'node:net'

const networks = ['loopback', 'linklocal', 'uniquelocal']

/** Whether Express' `trust proxy` takes the list for what it says. A number, which elsewhere says how many proxies there are, is the address 0.0.0.1 to it. */
export function areTrustedProxies(list: string): boolean {
  return list.split(',').every((each) => isTrustedProxy(each.trim()))
}

function isTrustedProxy(text: string): boolean {
  if (networks.includes(text)) return true
  const [, address = '', bits = '1'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const maxBits = { 4: 32, 6: 128 }[isIP(address)] ?? 0
  return Number(bits) >= 1 && Number(bits) <= maxBits
}
