import { missingFeature, missingMskIam } from '../kafka-features.ts'
import type { ParameterFault } from '../parameter-fault.ts'
import type { AwsAccessKey, AwsCredentials } from '../tokens/token-request.ts'
import {
  jaasFaultsOf,
  type JaasOptions,
  type LoginInput,
  type LoginModule,
} from './login-module.ts'
import { isRegion, mskServerFaults, signingRegion } from './msk-servers.ts'

const roleArn = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/
const sessionName = /^[\w+=,.@-]{2,64}$/
const wholeNumber = /^\d{1,6}$/

/** As in aws-msk-iam-auth: https://github.com/aws/aws-msk-iam-auth */
const defaults = { sessionName: 'aws-msk-iam-auth', maxRetries: 3, maxBackoffMs: 5000 } as const
/** There, all of a login; here, of one of the fetches that go on until there is a token. */
const mostRetries = 10
const roleOptions = [
  'awsRoleSessionName',
  'awsRoleExternalId',
  'awsRoleAccessKeyId',
  'awsRoleSecretAccessKey',
  'awsRoleSessionToken',
  'awsStsRegion',
] as const

export const mskIamLogin: LoginModule = {
  className: 'software.amazon.msk.auth.iam.IAMLoginModule',
  mechanisms: ['AWS_MSK_IAM'],
  optionNames: [
    'awsProfileName',
    'awsRoleArn',
    ...roleOptions,
    'awsMaxRetries',
    'awsMaxBackOffTimeMs',
    'awsDebugCreds',
  ],
  missing: (features) => missingFeature(features, 'sasl_oauthbearer') ?? missingMskIam(features),
  faults(input, { isServerAllowed }) {
    const { values } = input
    if (values.securityProtocol?.toUpperCase() !== 'SASL_SSL') {
      const message = 'saslMechanism AWS_MSK_IAM needs securityProtocol SASL_SSL.'
      return [{ parameter: 'securityProtocol', message }]
    }
    return [...mskServerFaults(values, isServerAllowed), ...optionFaults(input)]
  },
  login(input) {
    const { options, values } = input
    const clusterRegion = signingRegion(values) ?? ''
    return {
      properties: { 'sasl.mechanism': 'OAUTHBEARER' },
      tokens: {
        kind: 'msk-iam',
        region: clusterRegion,
        credentials: credentialsOf(options, clusterRegion),
        maxRetries: Math.min(
          Number(options.get('awsMaxRetries') ?? defaults.maxRetries),
          mostRetries,
        ),
        maxBackoffMs: Number(options.get('awsMaxBackOffTimeMs') ?? defaults.maxBackoffMs),
      },
    }
  },
}

function optionFaults({ options }: LoginInput): readonly ParameterFault[] {
  const arn = options.get('awsRoleArn')
  const profileName = options.get('awsProfileName')
  const keys = ['awsRoleAccessKeyId', 'awsRoleSecretAccessKey'].filter((name) => options.get(name))
  const stsRegion = options.get('awsStsRegion')
  const isWrongNumber = ['awsMaxRetries', 'awsMaxBackOffTimeMs'].find((name) => {
    const value = options.get(name)
    return value !== undefined && !wholeNumber.test(value)
  })
  return jaasFaultsOf(
    arn !== undefined &&
      profileName !== undefined &&
      'saslJaasConfig: write awsRoleArn or awsProfileName, not both.',
    arn !== undefined &&
      !roleArn.test(arn) &&
      'saslJaasConfig: awsRoleArn must be of the form arn:aws:iam::<account>:role/<name>.',
    profileName === '' && 'saslJaasConfig: awsProfileName is empty.',
    arn === undefined &&
      roleOptions.some((name) => options.has(name)) &&
      `saslJaasConfig: ${roleOptions.join(', ')} need awsRoleArn.`,
    keys.length === 1 &&
      'saslJaasConfig: awsRoleAccessKeyId and awsRoleSecretAccessKey belong together.',
    keys.length === 0 &&
      options.has('awsRoleSessionToken') &&
      'saslJaasConfig: awsRoleSessionToken needs awsRoleAccessKeyId and awsRoleSecretAccessKey.',
    options.has('awsRoleSessionName') &&
      !sessionName.test(options.get('awsRoleSessionName') ?? '') &&
      'saslJaasConfig: awsRoleSessionName must be 2 to 64 characters out of letters, digits and "_+=,.@-".',
    stsRegion !== undefined &&
      !isRegion(stsRegion) &&
      'saslJaasConfig: awsStsRegion must be the name of a region.',
    isWrongNumber !== undefined && `saslJaasConfig: ${isWrongNumber} must be a whole number.`,
  )
}

function credentialsOf(options: JaasOptions, clusterRegion: string): AwsCredentials {
  const profileName = options.get('awsProfileName')
  if (profileName !== undefined) return { from: 'profile', profileName }
  const arn = options.get('awsRoleArn')
  if (arn === undefined) return { from: 'default-chain' }
  return {
    from: 'role',
    roleArn: arn,
    sessionName: options.get('awsRoleSessionName') ?? defaults.sessionName,
    externalId: options.get('awsRoleExternalId'),
    stsRegion: options.get('awsStsRegion') ?? clusterRegion,
    source: accessKeyOf(options),
  }
}

function accessKeyOf(options: JaasOptions): AwsAccessKey | undefined {
  const accessKeyId = options.get('awsRoleAccessKeyId')
  const secretAccessKey = options.get('awsRoleSecretAccessKey')
  const sessionToken = options.get('awsRoleSessionToken')
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}
