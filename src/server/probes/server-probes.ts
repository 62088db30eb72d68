import type { Knex } from 'knex'
import { endsWithin } from '../../deadline.ts'
import { isTopicDestinationError } from '../../errors.ts'
import type { HealthProbe } from '../../topology/health/health-probe.ts'

/** Names of the probes; each is the path of its URL. */
export const probeNames = ['health', 'ready'] as const
export type ProbeName = (typeof probeNames)[number]

export interface Check {
  readonly isPassing: boolean
  /** In milliseconds, of what was measured. */
  readonly latencyMs?: number
  /** In words; holds no secret. */
  readonly cause?: string
}

export interface ProbeParts {
  readonly database: Pick<Knex, 'raw'>
  /** Whether the modules are started and the server is not closing. */
  readonly isOpen: () => boolean
  /** Health of the Kafka topology; undefined: none is configured. */
  readonly topology: HealthProbe | undefined
}

const databaseTimeoutMs = 3000

/** What Kubernetes and load balancers ask: whether the process should be restarted (`health`), and whether it should get requests (`ready`). Kafka is no
 *  matter of the former: a restart would not bring it back. */
export class ServerProbes {
  readonly #parts: ProbeParts

  constructor(parts: ProbeParts) {
    this.#parts = parts
  }

  /** Checks by name. Never rejects. */
  async look(probe: ProbeName): Promise<Readonly<Record<string, Check>>> {
    if (probe === 'health') return { database: await this.#database() }
    const [database, topology] = await Promise.all([this.#database(), this.#topology()])
    return { database, modules: this.#modules(), ...topology }
  }

  async close(): Promise<void> {
    await this.#parts.topology?.close()
  }

  async #database(): Promise<Check> {
    const startedMs = performance.now()
    try {
      if (!(await endsWithin(ask(this.#parts.database), databaseTimeoutMs))) {
        return failed(`The database did not answer within ${databaseTimeoutMs} ms.`)
      }
      return { isPassing: true, latencyMs: Math.round(performance.now() - startedMs) }
    } catch (error) {
      // What pg says may name users and hosts.
      const { code } = error as { code?: unknown }
      const reason = typeof code === 'string' ? ` (${code})` : ''
      return failed(`The database cannot be reached${reason}.`)
    }
  }

  #modules(): Check {
    return this.#parts.isOpen()
      ? { isPassing: true }
      : failed('The server is starting or stopping.')
  }

  async #topology(): Promise<Record<string, Check>> {
    if (!this.#parts.topology) return {}
    try {
      const { services } = await this.#parts.topology.check()
      return Object.fromEntries(
        services.map((health) => [
          `kafka:${health.service}`,
          health.isHealthy
            ? { isPassing: true, latencyMs: health.latencyMs }
            : failed(`${health.principal ?? health.side}: ${health.cause}`),
        ]),
      )
    } catch (error) {
      return {
        kafka: failed(
          isTopicDestinationError(error)
            ? error.message
            : 'The health of the topology cannot be looked at.',
        ),
      }
    }
  }
}

async function ask(database: Pick<Knex, 'raw'>): Promise<void> {
  await database.raw('select 1')
}

function failed(cause: string): Check {
  return { isPassing: false, cause }
}
