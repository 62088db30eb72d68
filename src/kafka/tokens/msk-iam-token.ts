import type * as Providers from '@aws-sdk/credential-providers'
import type * as Signer from 'aws-msk-iam-sasl-signer-js'
import type { LoginToken } from './login-token.ts'
import { TokenFailure } from './token-failure.ts'
import type { AwsCredentials, MskIamRequest } from './token-request.ts'

/** The packages that sign; optional, so they are loaded when the first destination needs them. */
export interface MskIamSigner {
  readonly signer: Pick<typeof Signer, 'generateAuthTokenFromCredentialsProvider'>
  readonly providers: Pick<
    typeof Providers,
    'fromIni' | 'fromNodeProviderChain' | 'fromTemporaryCredentials'
  >
}

type CredentialsProvider = Parameters<
  MskIamSigner['signer']['generateAuthTokenFromCredentialsProvider']
>[0]['awsCredentialsProvider']

export async function loadMskIamSigner(): Promise<MskIamSigner> {
  const [signer, providers] = await Promise.all([
    import('aws-msk-iam-sasl-signer-js'),
    import('@aws-sdk/credential-providers'),
  ])
  return { signer, providers }
}

/** A token for Amazon MSK: a presigned request `kafka-cluster:Connect`, which holds for 15 minutes.
 *  @throws {@link TokenFailure} */
export async function mskIamToken(
  request: MskIamRequest,
  load: () => Promise<MskIamSigner> = loadMskIamSigner,
): Promise<LoginToken> {
  try {
    const { signer, providers } = await load()
    const { token, expiryTime } = await signer.generateAuthTokenFromCredentialsProvider({
      region: request.region,
      awsCredentialsProvider: credentialsProvider(request, providers),
    })
    return { text: token, expiresAtMs: expiryTime }
  } catch (error) {
    throw new TokenFailure(
      `No AWS credentials could be had from ${sourceOf(request.credentials)} (${nameOf(error)}); check what this server may use, or saslJaasConfig.`,
    )
  }
}

function credentialsProvider(
  { credentials, region, maxRetries }: MskIamRequest,
  { fromIni, fromNodeProviderChain, fromTemporaryCredentials }: MskIamSigner['providers'],
): CredentialsProvider {
  if (credentials.from === 'profile') return fromIni({ profile: credentials.profileName })
  if (credentials.from === 'default-chain') {
    return fromNodeProviderChain({ maxRetries, clientConfig: { region } })
  }
  const { roleArn, sessionName, externalId, stsRegion, source } = credentials
  return fromTemporaryCredentials({
    ...(source === undefined ? {} : { masterCredentials: source }),
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    clientConfig: { region: stsRegion, maxAttempts: maxRetries + 1 },
  })
}

function sourceOf(credentials: AwsCredentials): string {
  if (credentials.from === 'profile') return 'the profile awsProfileName'
  if (credentials.from === 'role') return `the role ${credentials.roleArn}`
  return 'the default chain of the AWS SDK'
}

/** `CredentialsProviderError`, `AccessDenied`: a message could quote what was sent. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error'
}
