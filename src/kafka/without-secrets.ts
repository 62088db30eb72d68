import type { ProducerConfig } from './producer-config.ts'

/** Properties of librdkafka that hold secrets which are shown to whoever answers. */
const shown = ['sasl.password', 'sasl.oauthbearer.client.secret'] as const
/** A shorter one would be found in words that have nothing to do with it. */
const leastLength = 4

/** A line of librdkafka's log without the secrets that a broker may repeat in its answer. */
export function withoutSecrets(text: string, { global }: Pick<ProducerConfig, 'global'>): string {
  return shown.reduce((rest, name) => {
    const secret = global[name]
    const isSecret = typeof secret === 'string' && secret.length >= leastLength
    return isSecret ? rest.replaceAll(secret, '…') : rest
  }, text)
}
