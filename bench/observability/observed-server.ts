/** The entry of `npm start` with a listener on every channel. */
import { subscribe } from 'node:diagnostics_channel'
import { channelTable } from '../../src/observability/channel-table.ts'

let heard = 0
for (const { name } of Object.values(channelTable)) {
  subscribe(name, () => {
    heard++
  })
}
process.once('exit', () => {
  if (heard === 0) process.stderr.write('Nothing was heard on the channels.\n')
})
await import('../../src/server/main.ts')
