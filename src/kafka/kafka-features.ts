import { createRequire } from 'node:module'
import { rdkafka } from './rdkafka-binding.ts'

/** What can be missing: a feature of librdkafka, with the Debian package whose presence at the build brings it, and the packages that sign for
 *  AWS MSK. */
const remedies = {
  ssl: { name: 'TLS', install: 'libssl-dev' },
  sasl_scram: { name: 'SCRAM', install: 'libssl-dev' },
  sasl_oauthbearer: { name: 'OAUTHBEARER', install: 'libssl-dev' },
  oidc: { name: 'OIDC, which SASL extensions need', install: 'libcurl4-openssl-dev' },
  sasl_gssapi: { name: 'GSSAPI', install: 'libsasl2-dev' },
} as const
type RemediableFeature = keyof typeof remedies

/** Packages of npm that AWS_MSK_IAM needs. Whoever has no such destination need not install them. */
export const mskIamPackages = [
  'aws-msk-iam-sasl-signer-js',
  '@aws-sdk/credential-providers',
] as const
const mskIam = 'aws_msk_iam'

let known: readonly string[] | undefined

/** What this installation can do: librdkafka's `features`, and `aws_msk_iam` where the packages for it are installed. */
export function kafkaFeatures(): readonly string[] {
  known ??= mskIamPackages.every(isInstalled) ? [...rdkafka.features, mskIam] : rdkafka.features
  return known
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

/** Says what is missing and what to do about it; undefined when nothing is. */
export function missingFeature(
  features: readonly string[],
  feature: RemediableFeature,
): string | undefined {
  if (features.includes(feature)) return undefined
  const { name, install } = remedies[feature]
  return `This build of node-rdkafka has no ${name}; install ${install} and run "npm rebuild node-rdkafka".`
}

/** Says what to install for AWS_MSK_IAM; undefined when it is. */
export function missingMskIam(features: readonly string[]): string | undefined {
  if (features.includes(mskIam)) return undefined
  return `AWS_MSK_IAM needs packages that are not installed here; run "npm install ${mskIamPackages.join(' ')}".`
}
