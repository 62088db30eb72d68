import type * as Providers from '@aws-sdk/credential-providers'
import type * as Signer from 'aws-msk-iam-sasl-signer-js'
import { mskIamPackages } from '../kafka-features.ts'
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
type Credentials = Awaited<ReturnType<CredentialsProvider>>

export async function loadMskIamSigner(): Promise<MskIamSigner> {
  const [signer, providers] = await Promise.all([
    import('aws-msk-iam-sasl-signer-js'),
    import('@aws-sdk/credential-providers'),
  ])
  return { signer, providers }
}

/** A token for Amazon MSK: a presigned request `kafka-cluster:Connect`, which holds for 15 minutes, or for as long as the credentials that sign it.
 *  @throws {@link TokenFailure} */
export async function mskIamToken(
  request: MskIamRequest,
  load: () => Promise<MskIamSigner> = loadMskIamSigner,
): Promise<LoginToken> {
  const { signer, providers } = await load().catch(cannotLoad)
  // Of credentials with an end the signer makes a token whose X-Amz-Expires is no whole number.
  const { expiration, ...credentials } = await credentialsOf(request, providers)
  try {
    const { token, expiryTime } = await signer.generateAuthTokenFromCredentialsProvider({
      region: request.region,
      awsCredentialsProvider: () => Promise.resolve(credentials),
    })
    const credentialsEndAtMs = expiration?.getTime() ?? Number.POSITIVE_INFINITY
    return { text: token, expiresAtMs: Math.min(expiryTime, credentialsEndAtMs) }
  } catch (error) {
    throw new TokenFailure(`The token for Amazon MSK could not be signed (${nameOf(error)}).`)
  }
}

function cannotLoad(error: unknown): never {
  throw new TokenFailure(
    `The packages ${mskIamPackages.join(' and ')} cannot be loaded (${nameOf(error)}); install them anew and restart this server.`,
  )
}

/** @throws {@link TokenFailure} */
async function credentialsOf(
  request: MskIamRequest,
  providers: MskIamSigner['providers'],
): Promise<Credentials> {
  try {
    return await credentialsProvider(request, providers)()
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

/** Names no identity: it may be a secret of its own who this server can be. */
function sourceOf({ from }: AwsCredentials): string {
  if (from === 'profile') return 'the profile awsProfileName'
  if (from === 'role') return 'the role awsRoleArn'
  return 'the default chain of the AWS SDK'
}

/** `ERR_MODULE_NOT_FOUND`, `CredentialsProviderError`, `AccessDenied`: a message could quote what was sent. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
