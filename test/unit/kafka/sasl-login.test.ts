import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allowedServers } from '../../../src/kafka/bootstrap-servers.ts'
import { mskIamPackages } from '../../../src/kafka/kafka-features.ts'
import { parameterFaults } from '../../../src/kafka/parameter-faults.ts'
import type {
  KafkaParameterName,
  KafkaParameterValues,
} from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { saslLogin } from '../../../src/kafka/sasl/sasl-login.ts'

const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const oauthModule = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'
const iamModule = 'software.amazon.msk.auth.iam.IAMLoginModule'
const kerberosModule = 'com.sun.security.auth.module.Krb5LoginModule'
const everything = [
  ...['ssl', 'sasl_scram', 'sasl_oauthbearer', 'sasl_gssapi', 'oidc', 'gzip', 'zstd'],
  'aws_msk_iam',
]
const endpoint = 'https://login.example.org/oauth2/token'

function values(
  saslMechanism: string,
  saslJaasConfig: string,
  more: Partial<KafkaParameterValues> = {},
): KafkaParameterValues {
  return {
    kafkaTopic: 'events',
    bootstrapServers: 'kafka.example.org:9093',
    securityProtocol: 'SASL_SSL',
    saslMechanism,
    saslJaasConfig,
    ...more,
  }
}

const oauth = (options: string, more: Partial<KafkaParameterValues> = {}) =>
  values('OAUTHBEARER', `${oauthModule} required ${options};`, {
    saslOauthbearerTokenEndpointUrl: endpoint,
    ...more,
  })
const client = 'clientId="id" clientSecret="Zx9-hidden"'
const mskServers =
  'b-1.demo.abc123.c2.kafka.eu-central-1.amazonaws.com:9098,b-2.demo.abc123.c2.kafka.eu-central-1.amazonaws.com:9098'
const msk = (options: string, more: Partial<KafkaParameterValues> = {}) =>
  values('AWS_MSK_IAM', `${iamModule} required ${options};`, {
    bootstrapServers: mskServers,
    ...more,
  })
/** As an operator would have to allow names of one's own for the brokers of MSK. */
const namingOwn = allowedServers(['*.amazonaws.com:*', '*.amazonaws.com.cn:*', '*.example.org:*'])
const kerberos = (options: string) => values('GSSAPI', `${kerberosModule} required ${options};`)
const unsecured = (options: string) => values('OAUTHBEARER', `${oauthModule} required ${options};`)

describe('saslLogin', () => {
  const cases: readonly (readonly [name: string, values: KafkaParameterValues, login: object])[] = [
    [
      'Azure Event Hubs by connection string',
      values(
        'PLAIN',
        `${plainModule} required username="$ConnectionString" password="Endpoint=sb://hub.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a/b+c=";`,
      ),
      {
        properties: {
          'sasl.mechanism': 'PLAIN',
          'sasl.username': '$ConnectionString',
          'sasl.password':
            'Endpoint=sb://hub.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a/b+c=',
        },
      },
    ],
    [
      'Azure Event Hubs with Entra',
      oauth(`${client} scope="https://hub.servicebus.windows.net/.default"`),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: {
          kind: 'client-credentials',
          endpointUrl: endpoint,
          clientId: 'id',
          clientSecret: 'Zx9-hidden',
          scope: 'https://hub.servicebus.windows.net/.default',
        },
      },
    ],
    [
      'Confluent Cloud with extensions, which librdkafka sends itself',
      oauth(
        `${client} scope="kafka" extension_logicalCluster="lkc-1" extension_identityPoolId="pool-2"`,
      ),
      {
        properties: {
          'sasl.mechanism': 'OAUTHBEARER',
          'sasl.oauthbearer.method': 'oidc',
          'sasl.oauthbearer.token.endpoint.url': endpoint,
          'sasl.oauthbearer.client.id': 'id',
          'sasl.oauthbearer.client.secret': 'Zx9-hidden',
          'sasl.oauthbearer.scope': 'kafka',
          'sasl.oauthbearer.extensions': 'logicalCluster=lkc-1,identityPoolId=pool-2',
        },
      },
    ],
    [
      'an unsecured token',
      unsecured('unsecuredLoginStringClaim_sub="alice" unsecuredLoginLifetimeSeconds="60"'),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: { kind: 'unsecured', subject: 'alice', lifetimeSeconds: 60 },
      },
    ],
    [
      'Amazon MSK, as documented',
      msk('', {
        saslClientCallbackHandlerClass: 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
      }),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: {
          kind: 'msk-iam',
          region: 'eu-central-1',
          credentials: { from: 'default-chain' },
          maxRetries: 3,
          maxBackoffMs: 5000,
        },
      },
    ],
    [
      'Amazon MSK Serverless with a profile',
      msk('awsProfileName="kafka" awsMaxRetries="5" awsMaxBackOffTimeMs="900" awsDebugCreds=true', {
        bootstrapServers: 'boot-x.c1.kafka-serverless.cn-north-1.amazonaws.com.cn:9098',
      }),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: {
          kind: 'msk-iam',
          region: 'cn-north-1',
          credentials: { from: 'profile', profileName: 'kafka' },
          maxRetries: 5,
          maxBackoffMs: 900,
        },
      },
    ],
    [
      'Amazon MSK behind names of one’s own, with a role',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/kafka/sender" awsStsRegion="us-east-1"', {
        bootstrapServers: 'kafka.example.org:9098',
        awsRegion: 'us-gov-west-1',
      }),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: {
          kind: 'msk-iam',
          region: 'us-gov-west-1',
          credentials: {
            from: 'role',
            roleArn: 'arn:aws:iam::123456789012:role/kafka/sender',
            sessionName: 'aws-msk-iam-auth',
            externalId: undefined,
            stsRegion: 'us-east-1',
            source: undefined,
          },
          maxRetries: 3,
          maxBackoffMs: 5000,
        },
      },
    ],
    [
      'Amazon MSK with a role, every option',
      msk(
        'awsRoleArn="arn:aws-cn:iam::123456789012:role/r" awsRoleSessionName="fhir" awsRoleExternalId="x" awsRoleAccessKeyId="A" awsRoleSecretAccessKey="S" awsRoleSessionToken="T"',
      ),
      {
        properties: { 'sasl.mechanism': 'OAUTHBEARER' },
        tokens: {
          kind: 'msk-iam',
          region: 'eu-central-1',
          credentials: {
            from: 'role',
            roleArn: 'arn:aws-cn:iam::123456789012:role/r',
            sessionName: 'fhir',
            externalId: 'x',
            stsRegion: 'eu-central-1',
            source: { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' },
          },
          maxRetries: 3,
          maxBackoffMs: 5000,
        },
      },
    ],
    [
      'Kerberos from the credential cache, without kinit',
      kerberos(
        'useTicketCache=true principal="fhir/host.example.org@EXAMPLE.ORG" serviceName="broker"',
      ),
      {
        properties: {
          'sasl.mechanism': 'GSSAPI',
          'sasl.kerberos.service.name': 'broker',
          'sasl.kerberos.principal': 'fhir/host.example.org@EXAMPLE.ORG',
          'sasl.kerberos.min.time.before.relogin': 0,
        },
      },
    ],
    [
      'Kerberos for the usual service',
      kerberos(''),
      {
        properties: {
          'sasl.mechanism': 'GSSAPI',
          'sasl.kerberos.service.name': 'kafka',
          'sasl.kerberos.min.time.before.relogin': 0,
        },
      },
    ],
  ]
  for (const [name, written, login] of cases) {
    it(name, () => {
      assert.deepEqual(parameterFaults(written, everything, namingOwn), [])
      assert.deepEqual(saslLogin(written), login)
    })
  }

  it('is part of the configuration, which librdkafka takes where it was built for it', () => {
    for (const [, written] of cases) {
      if (parameterFaults(written, undefined, namingOwn).length > 0) continue
      const { global, topic, tokens } = toProducerConfig(
        written,
        'best-effort',
        undefined,
        namingOwn,
      )
      const login = saslLogin(written)
      assert.deepEqual(tokens, login?.tokens)
      for (const [property, value] of Object.entries(login?.properties ?? {})) {
        assert.equal(global[property], value)
      }
      assert.doesNotThrow(() => new rdkafka.Producer({ ...global }, { ...topic }))
    }
  })

  it('names properties that librdkafka knows, also where it was not built for them', () => {
    const known = new Map(
      cases.flatMap(([, written]) => Object.entries(saslLogin(written)?.properties ?? {})),
    )
    for (const [property, value] of known) {
      const make = () => new rdkafka.Producer({ [property]: value }, {})
      try {
        make()
      } catch (error) {
        assert.match(
          String(error),
          /not (?:built|available|supported)|build|No provider/i,
          property,
        )
      }
    }
    assert.throws(() => new rdkafka.Producer({ 'sasl.unknown': 1 } as object, {}), /No such/)
  })

  it('does without SASL', () => {
    assert.equal(saslLogin({ ...oauth(client), securityProtocol: 'SSL' }), undefined)
  })
})

describe('parameterFaults of logins', () => {
  type Bad = readonly [parameter: KafkaParameterName, values: KafkaParameterValues, says: RegExp]
  const bad: readonly Bad[] = [
    ['saslOauthbearerTokenEndpointUrl', unsecured(client), /needs saslOauthbearerTokenEndpointUrl/],
    ['saslJaasConfig', oauth('clientId="id"'), /clientId and clientSecret/],
    [
      'saslJaasConfig',
      oauth(`${client} clientSecrett="Zx9-hidden"`),
      /the options of this login module/,
    ],
    ['saslJaasConfig', oauth(`${client} unsecuredLoginStringClaim_sub="a"`), /leave unsecured/],
    ['saslJaasConfig', oauth(`${client} extension_a1="b"`), /an extension has a name/],
    ['saslJaasConfig', oauth(`${client} extension_auth="b"`), /an extension has a name/],
    ['saslJaasConfig', oauth(`${client} extension_a="b,Zx9-hidden"`), /an extension has a name/],
    [
      'saslJaasConfig',
      unsecured('unsecuredLoginStringClaim_sub=""'),
      /unsecuredLoginStringClaim_sub/,
    ],
    [
      'saslJaasConfig',
      unsecured('unsecuredLoginStringClaim_sub="a" unsecuredLoginLifetimeSeconds="0"'),
      /whole number/,
    ],
    [
      'saslJaasConfig',
      unsecured('unsecuredLoginStringClaim_sub="a" extension_x="y"'),
      /extensions/,
    ],
    ['saslJaasConfig', values('OAUTHBEARER', `${plainModule} required;`), /needs the login module/],
    [
      'securityProtocol',
      msk('', { securityProtocol: 'SASL_PLAINTEXT' }),
      /needs securityProtocol SASL_SSL/,
    ],
    ['awsRegion', msk('', { awsRegion: 'example.org/' }), /the name of a region/],
    ['awsRegion', msk('', { awsRegion: 'eu-west-1' }), /is not eu-central-1, the region of the/],
    [
      'bootstrapServers',
      msk('', { bootstrapServers: `${mskServers},b-1.x.kafka.us-east-1.amazonaws.com:9098` }),
      /names brokers in eu-central-1 and in us-east-1/,
    ],
    ['saslJaasConfig', msk('awsRoleArn="role"'), /awsRoleArn must be/],
    ['saslJaasConfig', msk('awsRoleArm="arn:aws:iam::123456789012:role/r"'), /the options of this/],
    ['saslJaasConfig', msk('awsProfileName=""'), /awsProfileName is empty/],
    ['saslJaasConfig', msk('awsRoleSessionName="fhir"'), /need awsRoleArn/],
    [
      'saslJaasConfig',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/r" awsProfileName="p"'),
      /not both/,
    ],
    [
      'saslJaasConfig',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/r" awsRoleSecretAccessKey="Zx9-hidden"'),
      /belong together/,
    ],
    [
      'saslJaasConfig',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/r" awsRoleSessionToken="Zx9-hidden"'),
      /awsRoleSessionToken needs/,
    ],
    [
      'saslJaasConfig',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/r" awsRoleSessionName="a b"'),
      /awsRoleSessionName must be/,
    ],
    [
      'saslJaasConfig',
      msk('awsRoleArn="arn:aws:iam::123456789012:role/r" awsStsRegion="example.org"'),
      /awsStsRegion must be/,
    ],
    ['saslJaasConfig', msk('awsMaxRetries="many"'), /awsMaxRetries must be a whole number/],
    [
      'saslJaasConfig',
      values('PLAIN', 'com.example.OwnLoginModule required username="u" password="Zx9-hidden";'),
      /must name one of the login modules .*Krb5LoginModule; no class is loaded/,
    ],
    [
      'saslJaasConfig',
      { ...values('PLAIN', 'constructor required;'), securityProtocol: 'PLAINTEXT' },
      /must name one of the login modules/,
    ],
    ['saslJaasConfig', kerberos('useKeyTab=true keyTab="/etc/passwd"'), /cannot name a keytab/],
    ['saslJaasConfig', kerberos('storeKey="TRUE"'), /cannot name a keytab/],
    ['saslJaasConfig', kerberos('principal="a;id"'), /principal must be/],
    ['saslJaasConfig', kerberos('principal="$(id)@X"'), /principal must be/],
    ['saslJaasConfig', kerberos('principal="-h"'), /principal must be/],
    ['saslJaasConfig', kerberos('serviceName="a b"'), /serviceName must be/],
    [
      'saslClientCallbackHandlerClass',
      { ...oauth(client), saslClientCallbackHandlerClass: 'org.example.Handler' },
      /must be one of .*IAMClientCallbackHandler/,
    ],
    [
      'saslClientCallbackHandlerClass',
      { ...oauth(client), saslClientCallbackHandlerClass: 'toString' },
      /must be one of/,
    ],
    [
      'saslClientCallbackHandlerClass',
      {
        ...oauth(client),
        saslClientCallbackHandlerClass: 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
      },
      /goes with AWS_MSK_IAM/,
    ],
  ]
  for (const [parameter, written, says] of bad) {
    it(`${parameter}: ${String(says)}`, () => {
      const faults = parameterFaults(written, everything)
      assert.deepEqual(
        faults.map((fault) => fault.parameter),
        [parameter],
      )
      assert.match(faults[0]?.message ?? '', says)
      assert.doesNotMatch(faults[0]?.message ?? '', /Zx9-hidden/)
    })
  }

  describe('AWS_MSK_IAM shows its token to nobody but', () => {
    const at = (bootstrapServers: string, more: Partial<KafkaParameterValues> = {}) =>
      msk('', { bootstrapServers, ...more })

    for (const host of [
      'b-1.demo.abc123.c2.kafka.us-east-1.amazonaws.com',
      'b-1-public.demo.abc123.c2.kafka.us-gov-west-1.amazonaws.com',
      'boot-x1.c1.kafka-serverless.ap-southeast-4.amazonaws.com',
      'B-2.Demo.abc123.c2.KAFKA.eu-central-1.amazonaws.com.',
      'b-1.demo.abc123.c2.kafka.cn-northwest-1.amazonaws.com.cn',
    ]) {
      it(`a broker of MSK: ${host}`, () => {
        assert.deepEqual(parameterFaults(at(`${host}:9098`), everything), [])
      })
    }

    for (const host of [
      'kafka.example.org',
      '10.1.0.7',
      '[::1]',
      'b-1.kafka.us-east-1.amazonaws.com.example.org',
      'b-1.kafka.us-east-1.amazonaws.com.cn',
      'b-1.kafka.cn-north-1.amazonaws.com',
      'b-1.kafka.us-east-1.amazonaws.com.evil',
      'kafka.us-east-1.amazonaws.com',
      'b-1.notkafka.us-east-1.amazonaws.com',
      'bucket.kafka.s3.amazonaws.com',
      'bucket.kafka.s3-us-west-2.amazonaws.com',
      'x.kafka.compute-1.amazonaws.com',
      'b-1.kafka.us-east-1.amazonaws.comx',
    ]) {
      const server = `${host}:9098`
      const written = at(`${mskServers}, ${server}`, { awsRegion: 'eu-central-1' })
      it(`what the operator has named: ${host}`, () => {
        for (const isAllowed of [undefined, allowedServers(['*:*'])]) {
          const [fault, ...others] = parameterFaults(written, everything, isAllowed)
          assert.deepEqual(others, [])
          assert.equal(fault?.parameter, 'bootstrapServers')
          const says = `names ${server}, which is no name that Amazon MSK gives its brokers`
          assert.ok(fault.message.includes(says), fault.message)
          assert.match(fault.message, /allowedBootstrapServers/)
        }
        const named = allowedServers([server, '*.eu-central-1.amazonaws.com:9098'])
        assert.deepEqual(parameterFaults(written, everything, named), [])
      })
    }

    it('who is asked for the region where names of one’s own do not tell it', () => {
      const faults = parameterFaults(at('kafka.example.org:9098'), everything, namingOwn)
      assert.deepEqual(
        faults.map(({ parameter }) => parameter),
        ['awsRegion'],
      )
      assert.match(faults[0]?.message ?? '', /write awsRegion/)
    })

    it('and is told once of a server that is not allowed at all, or is none', () => {
      for (const [servers, says] of [
        ['kafka.example.org:9098', /is not among/],
        ['kafka', /list of host:port/],
      ] as const) {
        const faults = parameterFaults(at(servers), everything, allowedServers(['a.test:1']))
        assert.equal(faults.length, 1)
        assert.match(faults[0]?.message ?? '', says)
      }
    })

    it('whom a stored destination names, too', () => {
      assert.throws(() => toProducerConfig(at('kafka.example.org:9098'), 'best-effort'), {
        code: 'KTD_INVALID_PARAMETER',
        message: /no name that Amazon MSK gives its brokers/,
      })
    })
  })

  it('bounds the tries of one fetch of AWS credentials, as fetches go on for ever', () => {
    const login = saslLogin(msk('awsMaxRetries="999999" awsMaxBackOffTimeMs="0"'))
    assert.ok(login?.tokens?.kind === 'msk-iam')
    assert.deepEqual([login.tokens.maxRetries, login.tokens.maxBackoffMs], [10, 0])
  })

  it('names the package whose absence makes a mechanism unavailable', () => {
    const lacking: readonly (readonly [
      feature: string,
      values: KafkaParameterValues,
      install: string,
    ])[] = [
      ['sasl_oauthbearer', oauth(client), 'libssl-dev'],
      ['oidc', oauth(`${client} extension_logicalCluster="lkc-1"`), 'libcurl4-openssl-dev'],
      ['sasl_gssapi', kerberos(''), 'libsasl2-dev'],
      ['aws_msk_iam', msk(''), `npm install ${mskIamPackages.join(' ')}`],
    ]
    for (const [feature, written, install] of lacking) {
      const [fault] = parameterFaults(
        written,
        everything.filter((each) => each !== feature),
      )
      assert.ok(fault?.message.includes(install), fault?.message)
    }
  })

  it('leaves callback handlers of Kafka and of AWS without effect', () => {
    const known = [
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
      'org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler',
      'org.apache.kafka.common.security.oauthbearer.internals.OAuthBearerSaslClientCallbackHandler',
    ]
    for (const saslClientCallbackHandlerClass of known) {
      const written = { ...oauth(client), saslClientCallbackHandlerClass }
      assert.deepEqual(parameterFaults(written, everything), [])
      assert.deepEqual(saslLogin(written), saslLogin(oauth(client)))
    }
  })

  it('takes unknown options of logins with a password, as Java does', () => {
    const written = values(
      'PLAIN',
      `${plainModule} required username="u" password="p" serviceName="kafka";`,
    )
    assert.deepEqual(parameterFaults(written, everything), [])
  })
})
