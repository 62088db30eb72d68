import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kafkaClientDescription } from '../../../src/kafka/kafka-client-description.ts'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'

describe('kafkaClientDescription', () => {
  it('says what this build can do, and what it cannot', () => {
    const features = ['gzip', 'snappy', 'lz4', 'ssl', 'sasl_scram', 'sasl_oauthbearer']
    assert.equal(
      kafkaClientDescription(features),
      `Kafka client: librdkafka ${rdkafka.librdkafkaVersion}, with TLS. ` +
        'compressionType: none, gzip, snappy, lz4; not in this installation: zstd. ' +
        'saslMechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; not in this installation: AWS_MSK_IAM, GSSAPI.',
    )
    const whole = [...features, 'zstd', 'sasl_gssapi', 'aws_msk_iam']
    assert.doesNotMatch(kafkaClientDescription(whole), /not in this installation/)
    assert.match(kafkaClientDescription([]), /without TLS.*saslMechanism: PLAIN; not/)
  })
})
