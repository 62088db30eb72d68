import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig, type ProducerConfig } from '../../../src/kafka/producer-config.ts'
import { ProducerPool } from '../../../src/kafka/producer-pool.ts'
import { silentLogger } from '../../../src/observability/logger.ts'

interface Made {
  readonly fail: (message: string) => void
  readonly closedWithMs: number[]
}

function recordingPool(): { pool: ProducerPool; made: Made[] } {
  const made: Made[] = []
  const pool = new ProducerPool((_config, _logger, options) => {
    const closedWithMs: number[] = []
    made.push({
      fail: (message) => options?.onError?.(message, { name: undefined, message: message }),
      closedWithMs,
    })
    return {
      send: () => undefined,
      close: (timeoutMs) => {
        closedWithMs.push(timeoutMs)
        return Promise.resolve()
      },
    }
  })
  return { pool, made }
}

function config(values: Partial<KafkaParameterValues> = {}): ProducerConfig {
  return toProducerConfig({ kafkaTopic: 't', bootstrapServers: 'a:1', ...values }, 'best-effort')
}

describe('ProducerPool', () => {
  it('shares one producer per configuration, whatever the topic', () => {
    const { pool, made } = recordingPool()
    const first = pool.acquire(config(), silentLogger)
    const second = pool.acquire(config({ kafkaTopic: 'u', keyByResourceId: true }), silentLogger)
    const other = pool.acquire(config({ compressionType: 'lz4' }), silentLogger)
    assert.equal(first.producer, second.producer)
    assert.notEqual(first.producer, other.producer)
    assert.equal(made.length, 2)
  })

  it('tells passwords apart', () => {
    const { pool, made } = recordingPool()
    for (const password of ['p', 'q', 'p']) {
      const saslJaasConfig = `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${password}";`
      pool.acquire(
        config({ securityProtocol: 'SASL_PLAINTEXT', saslMechanism: 'PLAIN', saslJaasConfig }),
        silentLogger,
      )
    }
    assert.equal(made.length, 2)
  })

  it('tells key stores of another content apart', () => {
    const { pool, made } = recordingPool()
    for (const sha256 of ['1', '2', '1']) {
      const sslKeystoreKey = { path: '/p.p12', password: 'pw', sha256, certificate: undefined }
      pool.acquire(config({ securityProtocol: 'SSL', sslKeystoreKey }), silentLogger)
    }
    assert.equal(made.length, 2)
  })

  it('closes with the last lease, once, and opens anew after that', async () => {
    const { pool, made } = recordingPool()
    const first = pool.acquire(config(), silentLogger)
    const second = pool.acquire(config(), silentLogger)
    await first.release(1)
    await first.release(2)
    assert.deepEqual(made[0]?.closedWithMs, [])
    await second.release(3)
    assert.deepEqual(made[0].closedWithMs, [3])
    pool.acquire(config(), silentLogger)
    assert.equal(made.length, 2)
  })

  it('tells every leaseholder the cause, and none that has left', async () => {
    const { pool, made } = recordingPool()
    const heard: string[] = []
    const first = pool.acquire(config(), silentLogger, { onError: (m) => heard.push(`1 ${m}`) })
    pool.acquire(config(), silentLogger, { onError: (m) => heard.push(`2 ${m}`) })
    made[0]?.fail('x')
    await first.release(0)
    made[0]?.fail('y')
    assert.deepEqual(heard, ['1 x', '2 x', '2 y'])
  })

  it('closes all', async () => {
    const { pool, made } = recordingPool()
    const lease = pool.acquire(config(), silentLogger)
    pool.acquire(config({ batchSize: 1 }), silentLogger)
    await pool.close(7)
    assert.deepEqual(
      made.map(({ closedWithMs }) => closedWithMs),
      [[7], [7]],
    )
    await lease.release(1)
  })

  it('closes what is closing already, with less time', async () => {
    const closedWithMs: number[] = []
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const pool = new ProducerPool(() => ({
      send: () => undefined,
      close: async (timeoutMs) => {
        closedWithMs.push(timeoutMs)
        await ended
      },
    }))
    const released = pool.acquire(config(), silentLogger).release(120_000)
    const closed = pool.close(50)
    end()
    await Promise.all([released, closed])
    await pool.close(1)
    assert.deepEqual(closedWithMs, [120_000, 50])
  })
})
