import { missingFeature, missingMskIam } from '../kafka-features.ts'
import type { ParameterFault } from '../parameter-fault.ts'
import type { AwsAccessKey, AwsCredentials } from '../tokens/token-request.ts'
import {
  jaasFaultsOf,
  type JaasOptions,
  type LoginInput,
  type LoginModule,
} from './login-module.ts'

/** Of brokers, provisioned and serverless, public and not. */
const mskHost = /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/i
/** Nothing that could lead a request to another host. */
const region = /^[a-z]{2,4}(?:-[a-z]+){1,3}-\d$/
const roleArn = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/
const sessionName = /^[\w+=,.@-]{2,64}$/
const wholeNumber = /^\d{1,6}$/

/** As in aws-msk-iam-auth: https://github.com/aws/aws-msk-iam-auth */
const defaults = { sessionName: 'aws-msk-iam-auth', maxRetries: 3, maxBackoffMs: 5000 } as const
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
  faults(input) {
    const { values } = input
    if (values.securityProtocol?.toUpperCase() !== 'SASL_SSL') {
      const message = 'saslMechanism AWS_MSK_IAM needs securityProtocol SASL_SSL.'
      return [{ parameter: 'securityProtocol', message }]
    }
    return [...regionFaults(input), ...optionFaults(input)]
  },
  login(input) {
    const { options, values } = input
    const clusterRegion = regionOf(values.bootstrapServers, values.awsRegion) ?? ''
    return {
      properties: { 'sasl.mechanism': 'OAUTHBEARER' },
      tokens: {
        kind: 'msk-iam',
        region: clusterRegion,
        credentials: credentialsOf(options, clusterRegion),
        maxRetries: Number(options.get('awsMaxRetries') ?? defaults.maxRetries),
        maxBackoffMs: Number(options.get('awsMaxBackOffTimeMs') ?? defaults.maxBackoffMs),
      },
    }
  },
}

/** A region that is written wins: names of one's own for brokers do not tell it. */
function regionOf(bootstrapServers: string, written: string | undefined): string | undefined {
  if (written !== undefined) return written
  const named = bootstrapServers
    .split(',')
    .map((server) => mskHost.exec(server.trim().replace(/:\d+$/, ''))?.[1]?.toLowerCase())
  const [first] = named
  return named.every((each) => each === first) ? first : undefined
}

function regionFaults({ values }: LoginInput): readonly ParameterFault[] {
  const { awsRegion, bootstrapServers } = values
  const found = regionOf(bootstrapServers, awsRegion)
  if (found !== undefined && region.test(found)) return []
  const message =
    awsRegion === undefined
      ? 'The names in bootstrapServers do not tell the region of the cluster; write awsRegion.'
      : 'awsRegion must be the name of a region, such as eu-central-1.'
  return [{ parameter: 'awsRegion', message }]
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
      !region.test(stsRegion) &&
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
