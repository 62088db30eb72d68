import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { FhirHost, FhirResource, HostHistory, SqlTx } from '../host/types.ts'
import { expect, HostConformanceError } from './expect.ts'
import {
  hostAbilities,
  type HostAbility,
  type HostUnderTest,
  type HostWrites,
  type RestAccess,
  type RunningHost,
  type TransactionWrites,
} from './host-under-test.ts'
import { ProbeModule } from './probe-module.ts'
import { request, type RestAnswer } from './rest-client.ts'

export type Stored = FhirResource & { readonly id: string }

const deadlineMs = 20_000

/** One case against one started host. */
export class CaseRun {
  readonly probe: ProbeModule
  readonly host: FhirHost
  readonly writes: HostWrites
  readonly lacks: NonNullable<HostUnderTest['lacks']>
  readonly #running: RunningHost
  readonly #sample: (text: string) => FhirResource
  #schema: string | undefined
  #unsupplied: HostConformanceError | undefined

  private constructor(
    subject: HostUnderTest,
    sample: (text: string) => FhirResource,
    running: RunningHost,
    probe: ProbeModule,
  ) {
    expect(
      probe.host !== undefined,
      'HostUnderTest.start must load the module it is given: call module.register(host) before the server takes requests.',
    )
    expect(probe.isStarted, 'HostUnderTest.start must await module.start() before it resolves.')
    this.lacks = subject.lacks ?? {}
    this.probe = probe
    this.host = probe.host
    this.writes = running.writes
    this.#running = running
    this.#sample = sample
  }

  static async open(subject: HostUnderTest): Promise<CaseRun> {
    const sample = subject.sample ?? patient
    const probe = new ProbeModule(sample('type').resourceType)
    const running = await subject.start(probe)
    try {
      return new CaseRun(subject, sample, running, probe)
    } catch (error) {
      await running.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    try {
      if (this.#schema !== undefined) await this.database.query(dropSchema(this.#schema))
    } finally {
      await this.#running.stop()
    }
  }

  /** Set when the case asked for something that the author did not supply: nothing is proven then, whatever else happened. */
  get unsupplied(): HostConformanceError | undefined {
    return this.#unsupplied
  }

  get database(): SqlTx {
    if (!this.#running.database) throw this.#missing('sqlTransactions')
    return this.#running.database
  }

  get history(): HostHistory {
    if (!this.host.history) throw this.#missing('history')
    return this.host.history
  }

  /** References of current resources of the sample's type, page by page. */
  async references(limit: number): Promise<readonly (readonly string[])[]> {
    const { host } = this
    if (!host.references) throw this.#missing('references')
    const types = [this.sample('').resourceType]
    const pages: (readonly string[])[] = []
    for (;;) {
      const after = pages.at(-1)?.at(-1)
      const page = await host.references({ types, limit, ...(after !== undefined && { after }) })
      pages.push(page)
      if (page.length < limit) return pages
    }
  }

  get rest(): RestAccess {
    if (!this.#running.rest) throw this.#missing('rest')
    return this.#running.rest
  }

  sample(text: string, id?: string): FhirResource {
    return { ...this.#sample(text), ...(id === undefined ? {} : { id }) }
  }

  /** A resource that is there before the case begins: what it did is not among the calls of the probe. */
  async given(text: string): Promise<Stored> {
    const stored = await this.create(text)
    this.probe.calls.length = 0
    return stored
  }

  async create(text: string, writes: HostWrites = this.writes): Promise<Stored> {
    const created = await writes.create(this.#sample(text))
    expect(
      typeof created.id === 'string' && created.id !== '',
      'HostWrites.create must resolve with the stored resource and its id.',
      created,
    )
    return { ...created, id: created.id }
  }

  async update(id: string, text: string, writes: HostWrites = this.writes): Promise<FhirResource> {
    return writes.update(this.sample(text, id))
  }

  async delete({ resourceType, id }: Stored, writes: HostWrites = this.writes): Promise<void> {
    await writes.delete(resourceType, id)
  }

  async transaction(work: (writes: TransactionWrites) => Promise<void>): Promise<void> {
    if (!this.#running.transaction) throw this.#missing('transactions')
    await this.#running.transaction(work)
  }

  async nested(
    writes: TransactionWrites,
    work: (writes: TransactionWrites) => Promise<void>,
  ): Promise<void> {
    if (!writes.nested) throw this.#missing('savepoints')
    await writes.nested(work)
  }

  async sql(writes: TransactionWrites, statement: string): Promise<void> {
    if (!writes.sql) throw this.#missing('statements')
    await writes.sql(statement)
  }

  async patch(id: string, path: string, value: unknown): Promise<void> {
    if (!this.writes.patch) throw this.#missing('patch')
    await this.writes.patch(this.#sample('').resourceType, id, [{ op: 'add', path, value }])
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<RestAnswer> {
    return request(this.rest, method, path, body, headers)
  }

  /** As another caller: with these headers and not those of `rest`. */
  async requestAs(
    headers: Readonly<Record<string, string>>,
    method: string,
    path: string,
  ): Promise<RestAnswer> {
    return request({ ...this.rest, headers }, method, path)
  }

  /** What a client reads, committed. */
  async isStored(id: string): Promise<boolean> {
    return (await this.readCurrent(id)) !== undefined
  }

  async readCurrent(id: string, tx?: SqlTx): Promise<FhirResource | undefined> {
    const reference = this.reference(id)
    return (await this.host.read([reference], tx)).get(reference)
  }

  reference(id: string): string {
    return `${this.#sample('').resourceType}/${id}`
  }

  /** A table for what a hook writes through its `tx`. */
  async noteTable(): Promise<string> {
    this.#schema = `host_conformance_${randomUUID().replaceAll('-', '')}`
    await this.database.query(`create schema ${this.#schema}`)
    await this.database.query(`create table ${this.#schema}.note (text text)`)
    return `${this.#schema}.note`
  }

  async countRows(table: string, db: SqlTx = this.database): Promise<number> {
    const { rows } = await db.query<{ n: number }>(`select count(*)::int as n from ${table}`)
    return rows[0]?.n ?? -1
  }

  #missing(ability: HostAbility): HostConformanceError {
    this.#unsupplied ??= new HostConformanceError(
      `Nothing to test with: supply what the ability ${ability} needs (the host ${hostAbilities[ability]}), or say in HostUnderTest.lacks.${ability} why the host cannot.`,
    )
    return this.#unsupplied
  }
}

/** Asks until it is so: of what a host does nothing tells when it is done.
 *  @throws HostConformanceError with `advice` after 20 s */
export async function until(isSo: () => Promise<boolean>, advice: string): Promise<void> {
  for (const endsAtMs = performance.now() + deadlineMs; ;) {
    if (await isSo()) return
    expect(performance.now() < endsAtMs, advice)
    await delay(5)
  }
}

/** In one statement, because a pool may run the next one elsewhere. A host that left a transaction open must not hold the suite up. */
function dropSchema(schema: string): string {
  return `do $$ begin
    perform set_config('lock_timeout', '2s', true);
    drop schema ${schema} cascade;
  end $$`
}

function patient(family: string): FhirResource {
  return { resourceType: 'Patient', name: [{ family }] }
}
