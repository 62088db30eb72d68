/** Parameters of a Kafka destination. */
export const parameterRows = {
  'parameter-kafkaTopic': {
    statement: 'kafkaTopic is required and names the Kafka topic that the records go to.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, kafkaTopic',
    verdict: 'same',
  },
  'parameter-bootstrapServers': {
    statement:
      'bootstrapServers is required: host:port pairs separated by commas, any of which leads to the cluster.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, bootstrapServers',
    verdict: 'same',
  },
  'parameter-compressionType': {
    statement:
      'compressionType gzip, snappy or lz4 compresses the records; other names are refused.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, compressionType',
    verdict: 'same',
  },
  'parameter-compressionType-zstd': {
    statement: 'compressionType zstd compresses the records.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, compressionType',
    verdict: 'different',
    here: 'compressionType zstd answers 422 where node-rdkafka was built without libzstd.',
    because: 'the library is taken from the machine that builds it',
  },
  'parameter-batchSize': {
    statement: 'batchSize is an integer, the bytes of a batch; 0 sends every record alone.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, batchSize',
    verdict: 'same',
  },
  'parameter-deliveryTimeoutMs': {
    statement: 'deliveryTimeoutMs is an integer, the time after which a record counts as failed.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, deliveryTimeoutMs',
    verdict: 'same',
  },
  'parameter-maxBlockMs': {
    statement: 'maxBlockMs is an integer, the time that sending may block for.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, maxBlockMs',
    verdict: 'same',
  },
  'parameter-maxRequestSize': {
    statement: 'maxRequestSize is an integer, the bytes of the largest request.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, maxRequestSize',
    verdict: 'same',
  },
  'parameter-requestTimeoutMs': {
    statement: 'requestTimeoutMs is an integer, the time to wait for an answer of Kafka.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, requestTimeoutMs',
    verdict: 'same',
  },
  'parameter-sslKeystoreKey': {
    statement: 'sslKeystoreKey is the private key in the format of ssl.keystore.type.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, sslKeystoreKey',
    verdict: 'different',
    here: 'sslKeystoreKey is PEM, with the certificates in the same text or in sslKeystoreCertificateChain, or refers to a PKCS#12 file of the vault configuration.',
    because: 'librdkafka reads no Java keystores',
  },
  'parameter-securityProtocol': {
    statement:
      'securityProtocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; others are refused.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, securityProtocol',
    verdict: 'same',
  },
  'parameter-saslMechanism': {
    statement:
      'saslMechanism chooses how to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, saslMechanism',
    verdict: 'same',
  },
  'parameter-saslMechanism-msk': {
    statement:
      'A destination for AWS MSK logs in with AWS_MSK_IAM, its login module and its callback handler.',
    source: 'Kafka AidboxTopicDestination, AWS MSK Kafka with IAM',
    verdict: 'same',
  },
  'parameter-saslMechanism-msk-names': {
    statement: 'A destination may log in with AWS_MSK_IAM at any server.',
    source: 'Kafka AidboxTopicDestination, AWS MSK Kafka with IAM',
    verdict: 'stricter',
    here: 'With AWS_MSK_IAM bootstrapServers holds names that MSK gives its brokers, of one region, or names that stand in `allowedBootstrapServers` (422).',
    because: 'whoever answers is shown a token of this server',
  },
  'parameter-saslMechanism-gssapi': {
    statement: 'saslMechanism GSSAPI logs in with Kerberos.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, saslMechanism',
    verdict: 'different',
    here: 'saslMechanism GSSAPI answers 422 where node-rdkafka was built without libsasl2, and a destination cannot name a keytab.',
    because:
      'the library is taken from the machine that builds it; files of the server are its operator’s',
  },
  'parameter-saslJaasConfig': {
    statement: 'saslJaasConfig holds the login in the form of JAAS files.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, saslJaasConfig',
    verdict: 'same',
  },
  'parameter-saslClientCallbackHandlerClass': {
    statement: 'saslClientCallbackHandlerClass names a Java class.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, saslClientCallbackHandlerClass',
    verdict: 'different',
    here: 'saslClientCallbackHandlerClass takes the handlers of Kafka and of AWS MSK, which have no effect; others answer 422.',
    because: 'there is no Java here',
  },
  'parameter-keyByResourceId': {
    statement:
      'keyByResourceId true makes the resource id the key of the record: the events of a resource keep their order on one partition.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, keyByResourceId',
    verdict: 'same',
  },
  'parameter-keyByResourceId-default': {
    statement: 'Without keyByResourceId, or with false, records have no key.',
    source: 'Kafka AidboxTopicDestination, Available Parameters, keyByResourceId',
    verdict: 'same',
  },
  'parameter-example': {
    statement: 'The documented destination with keyByResourceId is stored and delivers.',
    source: 'Kafka AidboxTopicDestination, Standalone Kafka (at least once)',
    verdict: 'same',
  },
  'parameter-integer-types': {
    statement: 'Numbers come as valueInteger, in the profiles as valueUnsignedInt.',
    source: 'Core module resources, KafkaAtLeastOnceProfile',
    verdict: 'different',
    here: 'Numbers may come as valuePositiveInt too.',
    because: 'clients send what their library knows',
  },
  'parameter-text-types': {
    statement: 'Texts come as valueString.',
    source: 'Kafka AidboxTopicDestination, Available Parameters',
    verdict: 'different',
    here: 'Texts may come as valueUrl, valueUri and valueCode too.',
    because: 'clients send addresses as valueUrl',
  },
  'parameter-wrong-type': {
    statement: 'A value of another type is refused.',
    source: 'Core module resources, KafkaAtLeastOnceProfile',
    verdict: 'same',
  },
  'parameter-unknown': {
    statement: 'A parameter that the profile does not have is refused.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'parameter-once': {
    statement: 'A parameter comes once, with one value.',
    source: 'Core module resources, KafkaAtLeastOnceProfile',
    verdict: 'same',
  },
  'parameter-own': {
    statement: 'There is no parameter for authorities, certificates and the password of a key.',
    source: 'Kafka AidboxTopicDestination, Available Parameters',
    verdict: 'different',
    here: 'sslTruststoreCertificates, sslKeystoreCertificateChain and sslKeyPassword (secret) are parameters too.',
    because: 'mutual TLS needs them',
  },
  'parameter-own-login': {
    statement: 'There is no parameter for where the tokens of OAUTHBEARER come from.',
    source: 'Kafka AidboxTopicDestination, Available Parameters',
    verdict: 'different',
    here: 'saslOauthbearerTokenEndpointUrl and awsRegion are parameters too; `allowedTokenEndpoints` says which URLs this server asks.',
    because: 'in Java they are settings of the login, not of the client',
  },
} as const
