import { join } from 'node:path'

/** Passwords by user name, for PLAIN and SCRAM. `admin` is a super user. */
export const users: Readonly<Record<string, string>> = {
  admin: 'admin-secret',
  alice: 'alice-secret',
}

/** Of the PKCS#12 stores and the encrypted keys. */
export const certificatePassword = 'changeit'

export interface BrokerPorts {
  readonly plaintext: number
  readonly sasl: number
  readonly mtls: number
  readonly saslSsl: number
  readonly controller: number
}

export interface BrokerConfiguration {
  readonly dataDirectory: string
  readonly ports: BrokerPorts
  /** Without it, as for formatting, the TLS listeners have no stores. */
  readonly certificates?: string
  readonly settings?: Readonly<Record<string, string>>
  /** What clients of the SASL listener are told instead of its port: that of a proxy. */
  readonly advertisedSaslPort?: number
}

/** server.properties of one node that is broker and controller. */
export function brokerProperties(configuration: BrokerConfiguration): string {
  const all: Record<string, string> = {
    ...listeners(configuration),
    ...fastAndSmall,
    ...configuration.settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function listeners({
  dataDirectory,
  ports,
  certificates,
  advertisedSaslPort = ports.sasl,
}: BrokerConfiguration): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `${clientListeners(ports)},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': clientListeners({ ...ports, sasl: advertisedSaslPort }),
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,MTLS:SSL,SASLSSL:SASL_SSL',
    'log.dirs': dataDirectory,
    ...sasl('sasl'),
    ...sasl('saslssl'),
    ...(certificates === undefined
      ? {}
      : { ...tls('mtls', 'required', certificates), ...tls('saslssl', 'none', certificates) }),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // The PLAINTEXT listener is the tests' own door.
    'super.users': 'User:ANONYMOUS;User:admin',
    'allow.everyone.if.no.acl.found': 'false',
    'auto.create.topics.enable': 'false',
  }
}

function clientListeners({ plaintext, sasl: saslPort, mtls, saslSsl }: BrokerPorts): string {
  return [
    `PLAINTEXT://127.0.0.1:${plaintext}`,
    `SASL://127.0.0.1:${saslPort}`,
    `MTLS://127.0.0.1:${mtls}`,
    `SASLSSL://127.0.0.1:${saslSsl}`,
  ].join(',')
}

function sasl(listener: string): Record<string, string> {
  const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const login = 'org.apache.kafka.common.security'
  return {
    [`listener.name.${listener}.sasl.enabled.mechanisms`]:
      'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`listener.name.${listener}.plain.sasl.jaas.config`]: `${login}.plain.PlainLoginModule required ${passwords.join(' ')};`,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
    [`listener.name.${listener}.oauthbearer.sasl.jaas.config`]: `${login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`,
  }
}

function tls(
  listener: string,
  clientAuthentication: 'required' | 'none',
  certificates: string,
): Record<string, string> {
  return {
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: join(certificates, 'broker.pem'),
    [`listener.name.${listener}.ssl.truststore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.truststore.location`]: join(certificates, 'test-ca.crt'),
    [`listener.name.${listener}.ssl.client.auth`]: clientAuthentication,
  }
}

const fastAndSmall: Readonly<Record<string, string>> = {
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'background.threads': '2',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'log.segment.bytes': '67108864',
  'log.index.size.max.bytes': '1048576',
  'controlled.shutdown.enable': 'false',
  'connection.failed.authentication.delay.ms': '0',
  // After a kill the broker waits until its old session has expired, by default nine seconds.
  'broker.session.timeout.ms': '1000',
  'broker.heartbeat.interval.ms': '200',
  // By default expired transactions are looked for every ten seconds.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
}
