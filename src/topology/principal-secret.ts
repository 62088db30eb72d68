import { loadSecretSource } from '../resources/secrets.ts'
import { TopologyError } from './finding.ts'

export interface SecretPlaces {
  /** Name of the document: the id that a secret's scope may be limited to. */
  readonly topologyName: string
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly vaultConfigPath: string | undefined
}

/** Type of the scope of a secret in the vault configuration. */
const secretScope = 'KafkaTopology'

/** The text of a secret: of the variable in `env:<variable>`, else of the vault configuration.
 *  @throws {@link TopologyError} or, of the vault, `KTD_SECRET`; the message never holds the text */
export function principalSecret(
  secretRef: string,
  { topologyName, variables, vaultConfigPath }: SecretPlaces,
): string {
  const [, variable] = /^env:(.*)$/.exec(secretRef) ?? []
  if (variable !== undefined) {
    const secret = variables[variable]
    if (secret !== undefined && secret !== '') return secret
    throw new TopologyError(`The variable ${variable} of a secretRef is not set.`)
  }
  if (vaultConfigPath === undefined) {
    // The name is not repeated: somebody may have put the secret itself there.
    throw new TopologyError(
      'The secretRef of the principal needs a vault configuration: give --vault-config or VAULT_CONFIG, or refer to a variable with env:<name>.',
    )
  }
  const secret = loadSecretSource(vaultConfigPath).resolve(secretRef, secretScope, topologyName)
  if (typeof secret === 'string') return secret
  throw new TopologyError('The secretRef of a principal names a key store; it must be a password.')
}
