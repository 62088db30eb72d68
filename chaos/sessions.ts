import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { untilDone } from './deadline.ts'
import type { Nodes } from './nodes.ts'
import type { Services } from './services.ts'

/** A session of the driver. What cannot be reached is down by another fault; that is waited for. */
async function withSession<T>(
  databaseUrl: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return untilDone('a database session', async () => {
    const client = new Client({
      connectionString: databaseUrl,
      application_name: 'chaos-driver',
      connectionTimeoutMillis: 5000,
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await work(client)
    } finally {
      await client.end().catch(() => undefined)
    }
  })
}

export async function query(
  databaseUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<void> {
  await withSession(databaseUrl, (client) => client.query(text, [...values]))
}

/** Ends sessions of the run's database, except the one that does it. */
export async function terminate(
  databaseUrl: string,
  condition: string,
  values: readonly unknown[] = [],
): Promise<void> {
  await query(
    databaseUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and (${condition})`,
    values,
  )
}

/** A node that leads a destination. */
export async function leaderOf(
  databaseUrl: string,
  nodes: Nodes,
  random: () => number,
): Promise<number | undefined> {
  const names = await withSession(databaseUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select distinct n.name from topic_destination.node n
         join topic_destination.destination d on d.leader = n.id order by 1`,
    )
    return rows.map(({ name }) => name)
  })
  const name = names[Math.floor(random() * names.length)]
  // As the module names a node: `host:pid`.
  return name === undefined ? undefined : nodes.indexOfProcess(Number(name.split(':').at(-1)))
}

/** Keeps a transaction with a number open for some seconds. */
export async function holdTransaction(databaseUrl: string, random: () => number): Promise<void> {
  const heldMs = 1000 + random() * 5000
  await withSession(databaseUrl, async (client) => {
    await client.query('begin')
    await client.query('select pg_current_xact_id()')
    await delay(heldMs)
    // The server may have been restarted meanwhile; the transaction was open for as long as it could be.
    await client.query('commit').catch(() => undefined)
  })
}

export function otherDatabase({ databaseUrl }: Services): string {
  const url = new URL(databaseUrl)
  url.pathname = '/postgres'
  return url.href
}
