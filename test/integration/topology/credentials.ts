import { startKafkaBroker, type KafkaBroker } from '../../helpers/kafka-broker.ts'

/** Passwords of the three principals of examples/altinn, by user name. */
export const passwords = {
  'notif-admin': 'admin-password',
  'notif-producer': 'producer-password',
  'notif-consumer': 'consumer-password',
} as const
export type User = keyof typeof passwords

/** A broker that knows the three principals beside its own users, none of which has a right yet. Whoever starts it stops it. */
export function altinnBroker(): Promise<KafkaBroker> {
  const users = { admin: 'admin-secret', ...passwords }
  const entries = Object.entries(users).map(([user, password]) => `user_${user}="${password}"`)
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  return startKafkaBroker({
    settings: { 'listener.name.sasl.plain.sasl.jaas.config': `${login} ${entries.join(' ')};` },
  })
}
