import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  loadMskIamSigner,
  mskIamToken,
  type MskIamSigner,
} from '../../../src/kafka/tokens/msk-iam-token.ts'
import type { AwsAccessKey, MskIamRequest } from '../../../src/kafka/tokens/token-request.ts'

const key: AwsAccessKey = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLE//+=',
}

function request(
  credentials: MskIamRequest['credentials'],
  region = 'eu-central-1',
): MskIamRequest {
  return { kind: 'msk-iam', region, credentials, maxRetries: 3, maxBackoffMs: 5000 }
}

function environment(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  Object.assign(process.env, variables)
  t.after(() => {
    process.env = before
  })
}

/** The query of a presigned request `kafka-cluster:Connect`, made from the description of Signature Version 4 alone:
 *  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function presignedQuery(
  region: string,
  { accessKeyId, secretAccessKey, sessionToken }: AwsAccessKey,
  at: string,
) {
  const hmac = (secret: string | Buffer, text: string) =>
    createHmac('sha256', secret).update(text).digest()
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  const scope = [at.slice(0, 8), region, 'kafka-cluster', 'aws4_request']
  const query: Record<string, string> = {
    Action: 'kafka-cluster:Connect',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKeyId}/${scope.join('/')}`,
    'X-Amz-Date': at,
    'X-Amz-Expires': '900',
    'X-Amz-SignedHeaders': 'host',
    ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
  }
  const canonicalQuery = Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const emptyHash = createHash('sha256').update('').digest('hex')
  const canonical = [
    'GET',
    '/',
    canonicalQuery,
    `host:kafka.${region}.amazonaws.com`,
    '',
    'host',
    emptyHash,
  ].join('\n')
  const toSign = [
    'AWS4-HMAC-SHA256',
    at,
    scope.join('/'),
    createHash('sha256').update(canonical).digest('hex'),
  ].join('\n')
  const signingKey = scope.reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  return { ...query, 'X-Amz-Signature': hmac(signingKey, toSign).toString('hex') }
}

function assertSigned(token: string, region: string, by: AwsAccessKey): void {
  assert.match(token, /^[\w-]+$/)
  const url = new URL(Buffer.from(token, 'base64url').toString())
  assert.equal(
    `${url.protocol}//${url.host}${url.pathname}`,
    `https://kafka.${region}.amazonaws.com/`,
  )
  const { 'User-Agent': userAgent, ...signed } = Object.fromEntries(url.searchParams)
  assert.match(userAgent ?? '', /^aws-msk-iam-sasl-signer-js/)
  assert.deepEqual(signed, presignedQuery(region, by, signed['X-Amz-Date'] ?? ''))
}

type Provide = () => Promise<AwsAccessKey & { readonly expiration?: Date }>

/** Whatever is asked for, these credentials are what there is. */
function providersOf(provide: Provide): MskIamSigner['providers'] {
  return {
    fromIni: () => provide,
    fromNodeProviderChain: () => provide,
    fromTemporaryCredentials: () => provide,
  }
}

/** The signer itself, with credentials of the test. */
function withCredentials(provide: Provide): () => Promise<MskIamSigner> {
  return async () => ({ ...(await loadMskIamSigner()), providers: providersOf(provide) })
}

describe('mskIamToken', () => {
  it('is the presigned request that Amazon MSK describes, signed with what the environment holds', async (t) => {
    environment(t, {
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      AWS_SESSION_TOKEN: key.sessionToken ?? '',
    })
    const { text, expiresAtMs } = await mskIamToken(request({ from: 'default-chain' }))
    assertSigned(text, 'eu-central-1', key)
    const signedAt =
      new URL(Buffer.from(text, 'base64url').toString()).searchParams.get('X-Amz-Date') ?? ''
    const signedAtMs = Date.parse(
      signedAt.replace(/(\d{4})(\d\d)(\d\dT\d\d)(\d\d)/, '$1-$2-$3:$4:'),
    )
    assert.equal(expiresAtMs, signedAtMs + 900_000)
  })

  it('signs with a profile of the server', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'aws-'))
    t.after(() => rm(folder, { recursive: true }))
    const file = join(folder, 'credentials')
    const profile = { accessKeyId: 'AKIDPROFILE', secretAccessKey: 'profile-secret' }
    await writeFile(
      file,
      `[kafka]\naws_access_key_id=${profile.accessKeyId}\naws_secret_access_key=${profile.secretAccessKey}\n`,
    )
    environment(t, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(folder, 'config') })
    const { text } = await mskIamToken(
      request({ from: 'profile', profileName: 'kafka' }, 'us-east-1'),
    )
    assertSigned(text, 'us-east-1', profile)
    await assert.rejects(mskIamToken(request({ from: 'profile', profileName: 'absent' })), {
      name: 'TokenFailure',
      message: /No AWS credentials could be had from the profile awsProfileName \(\w+\)/,
    })
  })

  it('assumes a role as the parameters say', async () => {
    const { signer, providers } = await loadMskIamSigner()
    const asked: unknown[] = []
    const load = (): Promise<MskIamSigner> =>
      Promise.resolve({
        signer,
        providers: {
          ...providers,
          fromTemporaryCredentials: (options) => {
            asked.push(options)
            return () =>
              Promise.resolve({ accessKeyId: 'AKIDROLE', secretAccessKey: 'role-secret' })
          },
        },
      })
    const role = {
      from: 'role',
      roleArn: 'arn:aws:iam::123456789012:role/r',
      sessionName: 'fhir',
      externalId: 'x',
      stsRegion: 'us-west-2',
      source: key,
    } as const
    const { text } = await mskIamToken(request(role), load)
    assertSigned(text, 'eu-central-1', {
      accessKeyId: 'AKIDROLE',
      secretAccessKey: 'role-secret',
    })
    await mskIamToken(request({ ...role, externalId: undefined, source: undefined }), load)
    const params = { RoleArn: role.roleArn, RoleSessionName: 'fhir' }
    const clientConfig = { region: 'us-west-2', maxAttempts: 4 }
    assert.deepEqual(asked, [
      { masterCredentials: key, params: { ...params, ExternalId: 'x' }, clientConfig },
      { params, clientConfig },
    ])
  })

  it('holds no longer than the credentials that sign it', async () => {
    const endAtMs = Date.now() + 60_000
    const load = withCredentials(() => Promise.resolve({ ...key, expiration: new Date(endAtMs) }))
    const { text, expiresAtMs } = await mskIamToken(request({ from: 'default-chain' }), load)
    assertSigned(text, 'eu-central-1', key)
    assert.equal(expiresAtMs, endAtMs)
  })

  const role = {
    from: 'role',
    roleArn: 'arn:aws:iam::123456789012:role/Zx9-role',
    sessionName: 'Zx9-session',
    externalId: 'Zx9-external',
    stsRegion: 'us-west-2',
    source: key,
  } as const
  const hidden = /Zx9|123456789012|AKID|EXAMPLE/
  const failures: readonly (readonly [
    says: RegExp,
    credentials: MskIamRequest['credentials'],
    load: () => Promise<MskIamSigner>,
  ])[] = [
    [
      /^No AWS credentials could be had from the default chain of the AWS SDK \(Error\);/,
      { from: 'default-chain' },
      withCredentials(() => Promise.reject(new Error('Zx9-hidden'))),
    ],
    [
      /^No AWS credentials could be had from the role awsRoleArn \(AccessDenied\);/,
      role,
      withCredentials(() =>
        Promise.reject(Object.assign(new Error('Zx9'), { name: 'AccessDenied' })),
      ),
    ],
    [
      /^The packages aws-msk-iam-sasl-signer-js and @aws-sdk\/credential-providers cannot be loaded \(ERR_MODULE_NOT_FOUND\); install them anew/,
      role,
      () => Promise.reject(Object.assign(new Error('Zx9'), { code: 'ERR_MODULE_NOT_FOUND' })),
    ],
    [
      /^The packages .* cannot be loaded \(SyntaxError\)/,
      { from: 'default-chain' },
      () => Promise.reject(new SyntaxError('Zx9')),
    ],
    [
      /^The token for Amazon MSK could not be signed \(RangeError\)/,
      role,
      () =>
        Promise.resolve({
          signer: {
            generateAuthTokenFromCredentialsProvider: () => Promise.reject(new RangeError('Zx9')),
          },
          providers: providersOf(() => Promise.resolve(key)),
        }),
    ],
  ]
  for (const [says, credentials, load] of failures) {
    it(`tells what failed, without secrets and identities: ${says.source}`, async () => {
      await assert.rejects(mskIamToken(request(credentials), load), (error) => {
        assert.ok(error instanceof Error)
        assert.equal(error.name, 'TokenFailure')
        assert.match(error.message, says)
        assert.doesNotMatch(JSON.stringify([error.message, String(error.cause)]), hidden)
        return true
      })
    })
  }
})
