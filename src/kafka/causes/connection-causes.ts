import type { CauseRow } from './cause-row.ts'

export type ConnectionCauseName =
  | 'login-refused'
  | 'token-not-issued'
  | 'no-login-on-port'
  | 'mechanism-not-offered'
  | 'broker-certificate-untrusted'
  | 'broker-certificate-of-another-host'
  | 'broker-certificate-expired'
  | 'broker-certificate-refused'
  | 'client-certificate-expired'
  | 'client-certificate-refused'
  | 'key-store-unreadable'
  | 'no-tls-on-port'
  | 'tls-on-port'
  | 'tls-failed'
  | 'name-not-resolved'
  | 'unreachable'
  | 'no-answer'
  | 'connection-closed'
  | 'no-broker'

const after = (lead: string, detail: string): string => (detail === '' ? '' : `${lead}${detail}`)

/** Why there is no connection to a broker. Rows with `log` are tried in this order. */
export const connectionCauses: Readonly<Record<ConnectionCauseName, CauseRow>> = {
  'login-refused': {
    codes: [58],
    log: /SASL authentication error: (.*)/,
    parameter: 'saslJaasConfig',
    issue: 'login',
    say: ({ broker, detail }) => `${broker} refused the login${after(': ', detail)}.`,
    remedy:
      'Wrong password or token, or a user that the broker does not know for this saslMechanism. Correct saslJaasConfig or the user.',
  },
  'token-not-issued': {
    // What follows are words of the endpoint, which may repeat what was sent.
    log: /no token available/,
    parameter: 'saslJaasConfig',
    issue: 'login',
    say: ({ detail }) =>
      `librdkafka got no token${after(' from ', detail)}; check saslOauthbearerTokenEndpointUrl, clientId, clientSecret and scope.`,
    remedy:
      'Correct the client or its secret, or look at the token endpoint. A destination with SASL extensions says it so; others say what went wrong with the token.',
  },
  'no-login-on-port': {
    codes: [34],
    log: /handshake failed: .*not valid in current SASL state/,
    parameter: 'securityProtocol',
    issue: 'value',
    say: ({ broker }) =>
      `${broker} takes no login on this port; check securityProtocol and the port.`,
    remedy: 'Use PLAINTEXT or SSL without saslMechanism, or the port of a listener with SASL.',
  },
  'mechanism-not-offered': {
    codes: [33],
    log: /SASL .*handshake failed: .*?(?:supported mechanisms: ([A-Z][\w,-]*))?$/,
    parameter: 'saslMechanism',
    issue: 'value',
    say: ({ broker, detail }) =>
      `${broker} does not offer this saslMechanism${after(', it offers ', detail)}; check saslMechanism and the port.`,
    remedy: 'Use a mechanism that the listener has, or the port of another listener.',
  },
  'broker-certificate-untrusted': {
    tls: [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'CERT_SIGNATURE_FAILURE',
    ],
    parameter: 'sslTruststoreCertificates',
    issue: 'security',
    say: ({ broker }) =>
      `The certificate of ${broker} was not signed by a trusted authority; check sslTruststoreCertificates.`,
    remedy:
      'Put the certificate of the authority that signed the brokers into sslTruststoreCertificates.',
  },
  'broker-certificate-of-another-host': {
    tls: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    parameter: 'bootstrapServers',
    issue: 'security',
    say: ({ broker }) =>
      `The certificate of ${broker} is not for this host name; check bootstrapServers and the advertised listeners of the broker.`,
    remedy: 'Use the host names that the certificate names, or have the broker another one issued.',
  },
  'broker-certificate-expired': {
    tls: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    parameter: 'bootstrapServers',
    issue: 'security',
    say: ({ broker }) =>
      `The certificate of ${broker} has expired or is not valid yet; renew it at the broker.`,
    remedy: 'Renew the certificate of the broker, and look at the clocks of both sides.',
  },
  'broker-certificate-refused': {
    log: /certificate verify failed|Failed to verify broker certificate/,
    parameter: 'sslTruststoreCertificates',
    issue: 'security',
    say: ({ broker }) =>
      `The certificate of ${broker} was not signed by a trusted authority, or not for this host name; check sslTruststoreCertificates and bootstrapServers.`,
    remedy: 'As for the three rows above, where it could not be found out which of them it is.',
  },
  'client-certificate-expired': {
    parameter: 'sslKeystoreKey',
    issue: 'security',
    say: ({ broker, detail }) =>
      `${broker} refused the client certificate of sslKeystoreKey, which is valid ${detail}; renew it.`,
    remedy:
      'Have the client certificate renewed, and write it with its key: into sslKeystoreKey and sslKeystoreCertificateChain, or into the key store.',
  },
  'client-certificate-refused': {
    log: /SSL routines::.*alert (.*?certificate.*|unknown ca.*)/,
    parameter: 'sslKeystoreKey',
    issue: 'security',
    say: ({ broker, detail }) =>
      `${broker} refused the client certificate${detail === '' ? '' : ` (${detail})`}; check sslKeystoreKey and its certificate.`,
    remedy:
      'Use a certificate that an authority trusted by the broker has signed, in sslKeystoreCertificateChain or in the key store; a listener that asks for one takes no client without.',
  },
  'key-store-unreadable': {
    log: /ssl\.keystore\.location/,
    parameter: 'sslKeystoreKey',
    issue: 'not-found',
    say: () =>
      'The key store that sslKeystoreKey refers to cannot be read any more, so there is no connection to Kafka.',
    remedy:
      'Put the file back that the vault configuration names for the secret, readable for this server.',
  },
  'no-tls-on-port': {
    log: /PLAINTEXT broker listener|wrong version number/,
    parameter: 'securityProtocol',
    issue: 'value',
    say: ({ broker }) =>
      `${broker} does not speak TLS on this port; check securityProtocol and the port.`,
    remedy: 'Use PLAINTEXT or SASL_PLAINTEXT, or the port of a listener with TLS.',
  },
  'tls-on-port': {
    log: /Invalid response size|invalid message size|peer speaks SSL/i,
    parameter: 'securityProtocol',
    issue: 'value',
    say: ({ broker }) =>
      `${broker} does not speak plain Kafka on this port, it may want TLS; check securityProtocol and the port.`,
    remedy: 'Use SSL or SASL_SSL, or the port of a listener without TLS.',
  },
  'tls-failed': {
    codes: [-181],
    log: /SSL handshake failed: (.*)/,
    parameter: 'securityProtocol',
    issue: 'security',
    say: ({ broker, detail }) => `The TLS connection to ${broker} failed${after(': ', detail)}.`,
    remedy: 'The text of OpenSSL says more; look at the log of the broker, too.',
  },
  'name-not-resolved': {
    codes: [-193],
    log: /Failed to resolve '.*?': (.*)/,
    parameter: 'bootstrapServers',
    issue: 'not-found',
    say: ({ broker, detail }) =>
      `The host name of ${broker} cannot be resolved${after(': ', detail)}.`,
    remedy: 'Correct the host name, or the advertised listeners of the broker.',
  },
  unreachable: {
    log: /Connect to .*? failed: (.*)/,
    parameter: 'bootstrapServers',
    issue: 'transient',
    say: ({ broker, detail }) => `${broker} cannot be reached${after(': ', detail)}.`,
    remedy:
      'The broker is down, the port is wrong, or a firewall refuses the connection. Delivery goes on by itself when it is there.',
  },
  'no-answer': {
    log: /Connection setup timed out|request\(s\) timed out/,
    parameter: 'bootstrapServers',
    issue: 'timeout',
    say: ({ broker }) =>
      `${broker} does not answer; a firewall may drop the packets, or the broker hangs.`,
    remedy: 'As for a broker that cannot be reached.',
  },
  'connection-closed': {
    log: /^(?:Receive failed: )?Disconnected/,
    parameter: 'securityProtocol',
    issue: 'value',
    say: ({ broker }) =>
      `${broker} closed the connection; check that securityProtocol fits this listener.`,
    remedy:
      'A listener closes what it does not understand: clear text where it wants TLS or SASL, or the other way round.',
  },
  'no-broker': {
    codes: [-195, -187],
    parameter: 'bootstrapServers',
    issue: 'transient',
    say: () => 'No Kafka broker can be reached at bootstrapServers.',
    remedy: 'As for a broker that cannot be reached.',
  },
}
