import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'
import type { KafkaInstallation } from './kafka-broker/installation.ts'
import { installKafka, log4jConfiguration } from './kafka-broker/installation.ts'
import type { BrokerPorts } from './kafka-broker/properties.ts'
import { brokerProperties, certificatePassword, users } from './kafka-broker/properties.ts'

const startDeadlineMs = 90_000

/** How to reach a broker; plain JSON, so that it can be handed to another process. */
export interface KafkaAddresses {
  /** Without authentication; its clients are super users. Topics are not created by use. */
  readonly bootstrapServers: string
  /** SASL_PLAINTEXT: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (unsecured tokens). */
  readonly saslBootstrapServers: string
  /** SSL; asks for a client certificate of test-ca. */
  readonly mtlsBootstrapServers: string
  /** SASL_SSL. */
  readonly saslSslBootstrapServers: string
  /** Passwords by user name: admin (super user), alice (no rights). */
  readonly users: Readonly<Record<string, string>>
  /** Directory with test-ca.crt, rogue-ca.crt and client|rogue .crt, .key, .encrypted.key, .p12. */
  readonly certificates: string
  readonly certificatePassword: string
}

export interface KafkaBroker extends KafkaAddresses {
  readonly processId: number
  /** SIGKILL. Ends when the port is closed. */
  kill(): Promise<void>
  /** Starts it again on the same ports with its data. */
  start(): Promise<void>
  /** Kill, if it runs, and start. */
  restart(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Ends it and removes its data. Idempotent. */
  stop(): Promise<void>
}

export interface KafkaBrokerOptions {
  /** Settings on top of the ones in kafka-broker/properties.ts. */
  readonly settings?: Readonly<Record<string, string>>
  /** What clients of the SASL listener are told instead of its port: that of a proxy. */
  readonly advertisedSaslPort?: number
  /** Leave the class archive behind that later starts use, if there is none yet. Costs some seconds at the end. */
  readonly writesClassArchive?: boolean
}

/** Starts an Apache Kafka on free loopback ports. It ends with this process, also when that is killed. */
export async function startKafkaBroker(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const installation = await installKafka()
  for (let attempt = 1; ; attempt++) {
    const directory = await mkdtemp(join(tmpdir(), 'topic-destination-kafka-'))
    const broker = new Broker(installation, directory, await freePorts(), options)
    try {
      await broker.prepare()
      await broker.start()
      return broker
    } catch (error) {
      await broker.stop()
      // Another process can take a port between the look for a free one and the broker's own bind.
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error
    }
  }
}

class Broker implements KafkaBroker {
  readonly #installation: KafkaInstallation
  readonly #directory: string
  readonly #ports: BrokerPorts
  readonly #options: KafkaBrokerOptions
  #child: ChildProcess | undefined

  constructor(
    installation: KafkaInstallation,
    directory: string,
    ports: BrokerPorts,
    options: KafkaBrokerOptions,
  ) {
    this.#installation = installation
    this.#directory = directory
    this.#ports = ports
    this.#options = options
  }

  readonly users: Readonly<Record<string, string>> = users
  readonly certificatePassword: string = certificatePassword
  get certificates(): string {
    return this.#installation.certificates
  }
  get bootstrapServers(): string {
    return `127.0.0.1:${this.#ports.plaintext}`
  }
  get saslBootstrapServers(): string {
    return `127.0.0.1:${this.#ports.sasl}`
  }
  get mtlsBootstrapServers(): string {
    return `127.0.0.1:${this.#ports.mtls}`
  }
  get saslSslBootstrapServers(): string {
    return `127.0.0.1:${this.#ports.saslSsl}`
  }
  get processId(): number {
    if (this.#child?.pid === undefined) throw new Error('The broker is not running.')
    return this.#child.pid
  }

  async prepare(): Promise<void> {
    const dataDirectory = join(this.#directory, 'data')
    await cp(this.#installation.dataTemplate, dataDirectory, { recursive: true })
    const { certificates } = this.#installation
    const { settings = {}, advertisedSaslPort } = this.#options
    await writeFile(
      join(this.#directory, 'server.properties'),
      brokerProperties({
        dataDirectory,
        ports: this.#ports,
        certificates,
        settings,
        ...(advertisedSaslPort === undefined ? {} : { advertisedSaslPort }),
      }),
    )
  }

  async start(): Promise<void> {
    if (this.#child) throw new Error('The broker is running.')
    const child = this.#launch()
    this.#child = child
    if (child.pid === undefined) throw new Error('The Java runtime could not be started.')
    const callOff = endWithParent({
      processId: child.pid,
      signal: 'KILL',
      removeDirectory: this.#directory,
    })
    child.once('exit', callOff)
    const endsAt = Date.now() + startDeadlineMs
    while (!(await accepts(this.#ports.plaintext))) {
      const isGone = hasExited(child)
      if (isGone || Date.now() > endsAt) {
        const log = await readFile(join(this.#directory, 'broker.log'), 'utf8')
        const what = isGone ? 'ended at once' : `was not ready in ${startDeadlineMs} ms`
        throw new Error(`Apache Kafka ${what}:\n${log.slice(-3000)}`)
      }
      // Another process: that it listens is known to whoever connects.
      await delay(20)
    }
  }

  #launch(): ChildProcess {
    const { java, classPath, classArchive } = this.#installation
    const log = openSync(join(this.#directory, 'broker.log'), 'a')
    try {
      const child = spawn(
        java,
        [
          ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
          ...this.#archiveFlags(classArchive),
          ...['-Djava.awt.headless=true', '-Djava.net.preferIPv4Stack=true'],
          ...[`-Dlog4j2.configurationFile=${log4jConfiguration}`, '-Dlog4j2.disableJmx=true'],
          ...['-cp', classPath, 'kafka.Kafka', join(this.#directory, 'server.properties')],
        ],
        { cwd: this.#directory, stdio: ['ignore', log, log], detached: true },
      )
      child.once('error', () => undefined)
      child.unref()
      return child
    } finally {
      closeSync(log)
    }
  }

  #archiveFlags(classArchive: string): string[] {
    if (existsSync(classArchive)) {
      return [
        `-XX:SharedArchiveFile=${classArchive}`,
        ...['-Xshare:auto', '-Xlog:cds=off', '-Xlog:cds+dynamic=off'],
      ]
    }
    return this.#options.writesClassArchive
      ? [`-XX:ArchiveClassesAtExit=${this.#newArchive}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
      : []
  }

  get #newArchive(): string {
    return join(this.#directory, 'classes.jsa')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  pause(): void {
    process.kill(this.processId, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.processId, 'SIGCONT')
  }

  async stop(): Promise<void> {
    const { classArchive } = this.#installation
    const archives = this.#options.writesClassArchive === true && !existsSync(classArchive)
    // Only an orderly end writes the archive; a test broker owes nobody else one.
    await this.#end(archives ? 'SIGTERM' : 'SIGKILL')
    if (archives && existsSync(this.#newArchive)) {
      const part = `${classArchive}.${process.pid}`
      await cp(this.#newArchive, part)
      await rename(part, classArchive)
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** Also waits for the port: threads of a killed JVM hold it a little longer, and a later start must not take that
   *  dying socket for the new broker's. */
  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (!child) return
    this.#child = undefined
    if (!hasExited(child)) {
      const exit = once(child, 'exit')
      child.ref()
      child.kill(signal)
      await exit
    }
    while (await accepts(this.#ports.plaintext)) await delay(5)
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function freePorts(): Promise<BrokerPorts> {
  const probes = Array.from({ length: 5 }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(probes.map((probe) => once(probe, 'listening')))
  const ports = probes.map((probe) => {
    const address = probe.address()
    if (address === null || typeof address === 'string') throw new Error('No free port.')
    return address.port
  })
  await Promise.all(
    probes.map((probe) => {
      probe.close()
      return once(probe, 'close')
    }),
  )
  const [plaintext = 0, sasl = 0, mtls = 0, saslSsl = 0, controller = 0] = ports
  return { plaintext, sasl, mtls, saslSsl, controller }
}
