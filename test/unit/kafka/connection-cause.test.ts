import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CauseReporter } from '../../../src/kafka/cause-reporter.ts'
import { causeOfLogLine, causeOfThrottle } from '../../../src/kafka/connection-cause.ts'
import type { KafkaCause } from '../../../src/kafka/kafka-causes.ts'

function fail(message: string, severity = 3): { severity: number; fac: string; message: string } {
  return { severity, fac: 'FAIL', message }
}

describe('causeOfLogLine', () => {
  // Lines as librdkafka 2.12.0 writes them.
  const lines: readonly (readonly [line: string, sentence: string])[] = [
    [
      '[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)',
      'Kafka broker 127.0.0.1:1 cannot be reached: Connection refused.',
    ],
    [
      "[thrd:nosuch.invalid:9092/bootstrap]: nosuch.invalid:9092/bootstrap: Failed to resolve 'nosuch.invalid:9092': Name or service not known (after 0ms in state CONNECT)",
      'The host name of Kafka broker nosuch.invalid:9092 cannot be resolved: Name or service not known.',
    ],
    [
      '[thrd:sasl_plaintext://10.0.0.1:9093/bootstrap]: sasl_plaintext://10.0.0.1:9093/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 1ms in state AUTH_REQ)',
      'Kafka broker 10.0.0.1:9093 refused the login: Authentication failed: Invalid username or password.',
    ],
    [
      '[thrd:sasl_ssl://b:9093/bootstrap]: sasl_ssl://b:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 51ms in state SSL_HANDSHAKE)',
      'The certificate of Kafka broker b:9093 was not signed by a trusted authority, or not for this host name; check sslTruststoreCertificates and bootstrapServers.',
    ],
    [
      '[thrd:ssl://b:9093/bootstrap]: ssl://b:9093/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 0ms in state APIVERSION_QUERY)',
      'Kafka broker b:9093 refused the client certificate (bad certificate: SSL alert number 42); check sslKeystoreKey and its certificate.',
    ],
    [
      '[thrd:ssl://b:9092/1]: ssl://b:9092/1: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 3ms in state SSL_HANDSHAKE)',
      'Kafka broker b:9092 does not speak TLS on this port; check securityProtocol and the port.',
    ],
    [
      '[thrd:TxnCoordinator]: TxnCoordinator: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)',
      'Kafka broker 10.0.0.1:9092 cannot be reached: Connection refused.',
    ],
    [
      "[thrd:sasl_ssl://b:9093/bootstrap]: sasl_ssl://b:9093/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN,SCRAM-SHA-256 (after 2ms in state AUTH_HANDSHAKE)",
      'Kafka broker b:9093 does not offer this saslMechanism, it offers PLAIN,SCRAM-SHA-256; check saslMechanism and the port.',
    ],
    [
      "[thrd:sasl_ssl://b:9093/bootstrap]: sasl_ssl://b:9093/bootstrap: SASL OAUTHBEARER mechanism handshake failed: Local: Timed out: broker's supported mechanisms: (n/a) (after 2ms in state AUTH_HANDSHAKE)",
      'Kafka broker b:9093 does not offer this saslMechanism; check saslMechanism and the port.',
    ],
    [
      "[thrd:sasl_plaintext://b:9092/bootstrap]: sasl_plaintext://b:9092/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 2ms in state AUTH_HANDSHAKE)",
      'Kafka broker b:9092 takes no login on this port; check securityProtocol and the port.',
    ],
    [
      '[thrd:sasl_ssl://b:9093/bootstrap]: sasl_ssl://b:9093/bootstrap: Failed to initialize SASL authentication: OAUTHBEARER cannot log in because there is no token available; last error: {"error":"invalid_client","error_description":"unknown secret Zx9-hidden"} (after 1ms in state AUTH_REQ)',
      'librdkafka got no token; check saslOauthbearerTokenEndpointUrl, clientId, clientSecret and scope.',
    ],
    ['[thrd:b:9092/1]: b:9092/1: Something new', 'Kafka broker b:9092: Something new.'],
  ]
  for (const [line, sentence] of lines) {
    it(sentence, () => {
      assert.equal(causeOfLogLine(fail(line), true)?.message, sentence)
    })
  }

  it('takes a closed connection for a cause only until the first one is up', () => {
    const log = fail(
      '[thrd:b:1/bootstrap]: b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 5ms in state UP)',
      6,
    )
    assert.match(
      causeOfLogLine(log, false)?.message ?? '',
      /b:1 closed the connection; check that securityProtocol/,
    )
    assert.equal(causeOfLogLine(log, true), undefined)
  })

  it('names what a producer was given up for', () => {
    const fatal = {
      severity: 0,
      fac: 'FATAL',
      message:
        '[thrd:main]: Fatal error: Broker: Cluster authorization failed: Failed to acquire idempotence PID from broker b:9092/1: Broker: Cluster authorization failed',
    }
    assert.equal(causeOfLogLine(fatal, true)?.name, 'cluster-forbidden')
  })

  it('says where librdkafka itself got no token, without the words of the endpoint', () => {
    const refused =
      '[thrd:background]: Failed to retrieve OIDC token from "http://127.0.0.1:46849/oauth2/token?key=Zx9": {"error":"invalid_client","error_description":"unknown secret Zx9-hidden"} (401)'
    const cause = causeOfLogLine({ severity: 3, fac: 'OIDC', message: refused }, true)
    assert.equal(cause?.name, 'token-not-issued')
    assert.equal(
      cause.message,
      'librdkafka got no token from http://127.0.0.1:46849 (status 401); check saslOauthbearerTokenEndpointUrl, clientId, clientSecret and scope.',
    )
    const odd = { severity: 3, fac: 'OIDC', message: 'Expected JSON: Zx9' }
    assert.match(
      causeOfLogLine(odd, true)?.message ?? '',
      /^librdkafka got no token from the token endpoint; check/,
    )
    assert.equal(causeOfLogLine({ ...odd, severity: 7 }, true), undefined)
  })

  it('ignores what is no failure', () => {
    assert.equal(causeOfLogLine({ severity: 4, fac: 'CONFWARN', message: 'x' }, false), undefined)
  })
})

describe('causeOfThrottle', () => {
  it('names the broker while it throttles', () => {
    const brokerName = 'sasl_ssl://b:9093/1'
    const message =
      'Kafka broker b:9093 slows this producer down by a quota. Nothing is lost by that; records wait.'
    assert.equal(causeOfThrottle({ throttleTime: 12, brokerName })?.message, message)
    assert.equal(causeOfThrottle({ throttleTime: 0, brokerName }), undefined)
  })
})

describe('CauseReporter', () => {
  it('repeats the same text only after a minute', () => {
    let nowMs = 0
    const reported: string[] = []
    const causes = new CauseReporter(
      ({ message }) => reported.push(message),
      () => nowMs,
    )
    const cause = (message: string): KafkaCause => ({ name: undefined, message })
    causes.report(cause('a'))
    nowMs = 59_999
    causes.report(cause('a'))
    causes.report(cause('b'))
    assert.deepEqual(reported, ['a', 'b'])
    nowMs = 60_000
    causes.report(cause('a'))
    causes.report(cause('b'))
    causes.inform(cause('c'))
    assert.deepEqual(reported, ['a', 'b', 'a', 'c'])
    assert.equal(causes.last, 'b')
    causes.forget()
    assert.equal(causes.last, undefined)
  })
})
