import type { KeyStore } from './key-store.ts'

/** Parameters of one destination, resolved: secrets in clear, ready for {@link toProducerConfig}. Never log it. */
export interface KafkaParameterValues {
  readonly kafkaTopic: string
  readonly bootstrapServers: string
  readonly compressionType?: string
  readonly batchSize?: number
  readonly deliveryTimeoutMs?: number
  readonly maxBlockMs?: number
  readonly maxRequestSize?: number
  readonly requestTimeoutMs?: number
  /** A PEM text, or the key store that a secret reference leads to. */
  readonly sslKeystoreKey?: string | KeyStore
  readonly sslKeystoreCertificateChain?: string
  readonly sslKeyPassword?: string
  readonly sslTruststoreCertificates?: string
  readonly securityProtocol?: string
  readonly saslMechanism?: string
  readonly saslJaasConfig?: string
  readonly saslClientCallbackHandlerClass?: string
  readonly saslOauthbearerTokenEndpointUrl?: string
  readonly awsRegion?: string
  readonly keyByResourceId?: boolean
}

export type KafkaParameterName = keyof KafkaParameterValues

/** Names of `value[x]` that may carry a parameter. */
export type KafkaParameterFhirType =
  | 'valueString'
  | 'valueUrl'
  | 'valueUri'
  | 'valueCode'
  | 'valueInteger'
  | 'valueUnsignedInt'
  | 'valuePositiveInt'
  | 'valueBoolean'

/** Where a parameter goes in node-rdkafka: `global` = first, `topic` = second argument of `new Producer`. */
export interface LibrdkafkaProperty {
  readonly scope: 'global' | 'topic'
  readonly property: string
}

export interface KafkaParameter {
  readonly valueType: 'string' | 'integer' | 'boolean'
  /** Every `value[x]` accepted when a destination is written; real clients send more than the documented one. */
  readonly fhirTypes: readonly KafkaParameterFhirType[]
  /** The one the profile documents. */
  readonly canonicalFhirType: KafkaParameterFhirType
  readonly required: boolean
  /** Sensitive: may come as a secret reference, is masked when read back, never appears in a message. */
  readonly secret: boolean
  /** Documented by Aidbox; the others are additions of this module. */
  readonly isAidbox: boolean
  /** Inclusive, integers only. */
  readonly min?: number
  readonly max?: number
  /** Every value Kafka knows, whether or not this build supports it. */
  readonly allowedValues?: readonly string[]
  /** One paragraph for profile and docs: meaning, unit, default. */
  readonly doc: string
  /** Properties the value ends up in; empty when it steers this module only. */
  readonly librdkafka: readonly LibrdkafkaProperty[]
}

const stringTypes = ['valueString', 'valueUrl', 'valueUri', 'valueCode'] as const
const integerTypes = ['valueInteger', 'valueUnsignedInt', 'valuePositiveInt'] as const

const text = {
  valueType: 'string',
  fhirTypes: stringTypes,
  canonicalFhirType: 'valueString',
} as const
const integer = {
  valueType: 'integer',
  fhirTypes: integerTypes,
  canonicalFhirType: 'valueInteger',
} as const
const boolean = {
  valueType: 'boolean',
  fhirTypes: ['valueBoolean'],
  canonicalFhirType: 'valueBoolean',
} as const

const aidbox = { isAidbox: true, required: false, secret: false } as const
const addition = { isAidbox: false, required: false, secret: false } as const

const maxInteger = 2_147_483_647

function global(property: string): LibrdkafkaProperty {
  return { scope: 'global', property }
}

function topic(property: string): LibrdkafkaProperty {
  return { scope: 'topic', property }
}

/** Every parameter a Kafka destination may carry. Profiles, validation, the librdkafka mapping and the docs come from this table;
 *  a name that is not here never reaches librdkafka. Names and meaning:
 *  https://www.health-samurai.io/docs/aidbox/tutorials/subscriptions-tutorials/aidboxtopicsubscription-kafka-tutorial
 *  and https://kafka.apache.org/documentation/#producerconfigs */
export const kafkaParameters: Readonly<Record<KafkaParameterName, KafkaParameter>> = {
  kafkaTopic: {
    ...text,
    ...aidbox,
    required: true,
    doc: 'Kafka topic that receives the notifications: 1 to 249 characters out of letters, digits, ".", "_" and "-".',
    librdkafka: [],
  },
  bootstrapServers: {
    ...text,
    ...aidbox,
    required: true,
    doc: 'Comma-separated list of up to 100 host:port pairs used to find the Kafka cluster; securityProtocol may stand in front of each, as in SASL_SSL://host:9092. The option allowedBootstrapServers can limit them; with AWS_MSK_IAM it must name those that have no name of Amazon MSK.',
    librdkafka: [global('bootstrap.servers')],
  },
  compressionType: {
    ...text,
    ...aidbox,
    allowedValues: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    doc: 'Codec for the record batches: none (default), gzip, snappy, lz4 or zstd. zstd needs a node-rdkafka that was built with libzstd.',
    librdkafka: [global('compression.type')],
  },
  batchSize: {
    ...integer,
    ...aidbox,
    min: 0,
    max: maxInteger,
    doc: 'Largest record batch of one partition in bytes; 0 sends every record alone. Default: as large as a request may be.',
    librdkafka: [global('batch.size'), global('batch.num.messages')],
  },
  deliveryTimeoutMs: {
    ...integer,
    ...aidbox,
    min: 10,
    max: maxInteger,
    doc: 'How long one record may take from being handed over until Kafka has acknowledged it, retries included, in milliseconds. Best effort: default 120000, then the record is lost. At least once: default 30000, at most 59000, then its transaction is aborted and tried again.',
    librdkafka: [topic('message.timeout.ms')],
  },
  maxBlockMs: {
    ...integer,
    ...aidbox,
    min: 1,
    max: maxInteger,
    doc: 'How long to wait for cluster metadata and for the transaction coordinator before an attempt counts as failed, in milliseconds. Default 60000.',
    librdkafka: [global('topic.metadata.propagation.max.ms')],
  },
  maxRequestSize: {
    ...integer,
    ...aidbox,
    min: 1000,
    max: 1_000_000_000,
    doc: 'Largest record, before compression, in bytes. Default 1048576. The limits of broker and topic (message.max.bytes, max.message.bytes) hold as well.',
    librdkafka: [global('message.max.bytes')],
  },
  requestTimeoutMs: {
    ...integer,
    ...aidbox,
    min: 10,
    max: maxInteger,
    doc: 'How long to wait for the answer to one request, in milliseconds. Default 30000 for best effort, 10000 for at least once; more than 300000 counts as 300000.',
    librdkafka: [global('socket.timeout.ms'), topic('request.timeout.ms')],
  },
  sslKeystoreKey: {
    ...text,
    ...aidbox,
    secret: true,
    doc: 'Private key of the client certificate in PEM form (PKCS#8, PKCS#1 or EC, may be encrypted). Needs sslKeystoreCertificateChain, or the certificates in the same text. A secret reference may also lead to a PKCS#12 file.',
    librdkafka: [
      global('ssl.key.pem'),
      global('ssl.keystore.location'),
      global('ssl.keystore.password'),
    ],
  },
  sslKeystoreCertificateChain: {
    ...text,
    ...addition,
    doc: 'Client certificate and its intermediates in PEM form.',
    librdkafka: [global('ssl.certificate.pem')],
  },
  sslKeyPassword: {
    ...text,
    ...addition,
    secret: true,
    doc: 'Password of an encrypted sslKeystoreKey.',
    librdkafka: [global('ssl.key.password')],
  },
  sslTruststoreCertificates: {
    ...text,
    ...addition,
    doc: 'Certificates of the authorities that signed the brokers, in PEM form. Default: those of the operating system.',
    librdkafka: [global('ssl.ca.pem')],
  },
  securityProtocol: {
    ...text,
    ...aidbox,
    allowedValues: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'],
    doc: 'PLAINTEXT (default), SSL, SASL_PLAINTEXT or SASL_SSL.',
    librdkafka: [global('security.protocol')],
  },
  saslMechanism: {
    ...text,
    ...aidbox,
    allowedValues: [
      'PLAIN',
      'SCRAM-SHA-256',
      'SCRAM-SHA-512',
      'GSSAPI',
      'OAUTHBEARER',
      'AWS_MSK_IAM',
    ],
    doc: 'PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM or GSSAPI. Needed with SASL_PLAINTEXT and SASL_SSL. AWS_MSK_IAM needs the packages aws-msk-iam-sasl-signer-js and @aws-sdk/credential-providers, GSSAPI a node-rdkafka that was built with libsasl2.',
    librdkafka: [global('sasl.mechanism')],
  },
  saslJaasConfig: {
    ...text,
    ...aidbox,
    secret: true,
    doc: 'JAAS login entry as Kafka clients take it, for example: org.apache.kafka.common.security.scram.ScramLoginModule required username="…" password="…"; The class names a way to log in, it is not loaded.',
    librdkafka: [global('sasl.username'), global('sasl.password')],
  },
  saslClientCallbackHandlerClass: {
    ...text,
    ...aidbox,
    doc: 'Class name of a SASL callback handler, as Java clients need it for some mechanisms. Those of Kafka and of AWS MSK are known and have no effect; others are refused, as no class is loaded.',
    librdkafka: [],
  },
  saslOauthbearerTokenEndpointUrl: {
    ...text,
    ...addition,
    doc: 'OAUTHBEARER: URL that tokens are fetched from, with clientId, clientSecret and scope of saslJaasConfig (OAuth 2.0 client credentials). The option allowedTokenEndpoints must allow it.',
    librdkafka: [],
  },
  awsRegion: {
    ...text,
    ...addition,
    doc: 'AWS_MSK_IAM: region of the cluster, needed where the names in bootstrapServers do not tell it.',
    librdkafka: [],
  },
  keyByResourceId: {
    ...boolean,
    ...aidbox,
    doc: 'true: the resource id is the record key, so that all events of one resource keep their order. Default false: records carry no key.',
    librdkafka: [],
  },
}

/** In the order of the table. */
export const kafkaParameterNames: readonly KafkaParameterName[] = Object.keys(
  kafkaParameters,
  // Object.keys forgets the key type; the annotation above keeps the two in step.
) as KafkaParameterName[]
