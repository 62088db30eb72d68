import type { Request, Response } from 'express'
import {
  probeNames,
  type Check,
  type ProbeName,
  type ServerProbes,
} from '../probes/server-probes.ts'
import type { Authenticator } from './auth.ts'

/** The probe that a request is for; undefined for any other request. */
export function probeOf({ method, path }: Request): ProbeName | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  return probeNames.find((name) => path === `/${name}`)
}

/** Answers 200 when every check passes, else 503, as JSON and to everybody: who asks for probes has no credentials. Why a check fails is told to those
 *  alone who may use the server. */
export async function answerProbe(
  name: ProbeName,
  request: Request,
  response: Response,
  {
    probes,
    authenticator,
  }: { readonly probes: ServerProbes; readonly authenticator: Authenticator },
): Promise<void> {
  const checks = Object.entries(await probes.look(name))
  const isTrusted = authenticator.accepts(request.headers.authorization)
  const isPassing = checks.every(([, check]) => check.isPassing)
  response
    .status(isPassing ? 200 : 503)
    .set('cache-control', 'no-store')
    .json({
      status: statusOf({ isPassing }),
      checks: Object.fromEntries(
        checks.map(([check, { latencyMs, cause, ...found }]) => [
          check,
          { status: statusOf(found), ...(isTrusted ? { latencyMs, cause } : {}) },
        ]),
      ),
    })
}

function statusOf({ isPassing }: Pick<Check, 'isPassing'>): 'pass' | 'fail' {
  return isPassing ? 'pass' : 'fail'
}
