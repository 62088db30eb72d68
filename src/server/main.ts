import { endProcess } from '../kafka/end-process.ts'
import { readyText, runServer } from './run-server.ts'

/** `npm start`. */
const exitCode = await runServer(process.env, {
  ready: (addresses) => {
    process.stdout.write(readyText(addresses))
  },
  failed: (why) => {
    process.stderr.write(`${why}\n`)
  },
})
endProcess(exitCode)
