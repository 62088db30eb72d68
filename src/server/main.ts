import { endProcess } from '../kafka/end-process.ts'
import { runServer } from './run-server.ts'

/** `npm start`. */
const exitCode = await runServer(process.env, {
  ready: (url) => {
    process.stdout.write(`FHIR server ready at ${url}\n`)
  },
  failed: (why) => {
    process.stderr.write(`${why}\n`)
  },
})
endProcess(exitCode)
