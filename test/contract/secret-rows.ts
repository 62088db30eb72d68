/** Secrets outside the database. */
export const secretRows = {
  'secret-reference': {
    statement:
      'A secret may stand in a file: its value is absent from the parameter, _valueString has data-absent-reason masked and secret-reference with the name, and reads answer that.',
    source: 'External Secrets, Extension pattern',
    verdict: 'same',
  },
  'secret-not-stored': {
    statement: 'The value of a referenced secret is never stored nor answered.',
    source: 'External Secrets, How it works',
    verdict: 'same',
  },
  'secret-jaas': {
    statement: 'saslJaasConfig may refer to a secret, which is used to log in.',
    source: 'External Secrets, Supported resources',
    verdict: 'same',
  },
  'secret-keystore-key': {
    statement: 'sslKeystoreKey may refer to a secret, which is used as the key of the client.',
    source: 'External Secrets, Supported resources',
    verdict: 'same',
  },
  'secret-other-parameters': {
    statement: 'No other parameter of a Kafka destination may refer to a secret.',
    source: 'External Secrets, Supported resources',
    verdict: 'different',
    here: 'sslKeyPassword, a parameter of this module, may refer to a secret too.',
    because: 'a password is a secret',
  },
  'secret-scope-instance': {
    statement: 'A scope of resource_type and id allows this one resource.',
    source: 'External Secrets, Vault config file format',
    verdict: 'same',
  },
  'secret-scope-type': {
    statement: 'A scope of resource_type alone allows every resource of the type.',
    source: 'External Secrets, Vault config file format',
    verdict: 'same',
  },
  'secret-out-of-scope': {
    statement: 'A reference from outside the scope is an error.',
    source: 'External Secrets, Scope enforcement',
    verdict: 'same',
  },
  'secret-unknown': {
    statement: 'A reference to a name that the vault configuration does not have is an error.',
    source: 'External Secrets, How it works',
    verdict: 'same',
  },
  'secret-rotation': {
    statement: 'A file that changes takes effect without a restart, for each kind of secret.',
    source: 'External Secrets, Secret rotation',
    verdict: 'same',
  },
  'secret-key-store': {
    statement: 'A secret is a text file.',
    source: 'External Secrets, Vault config file format',
    verdict: 'different',
    here: 'A secret may also be a PKCS#12 file (`"format": "pkcs12"`, `"password_path"`), which sslKeystoreKey refers to.',
    because: 'that is what Java clients have',
  },
  'secret-vault-read-once': {
    statement: 'The vault configuration itself is read at start.',
    source: 'External Secrets, Configuration',
    verdict: 'same',
  },
  'secret-plain': {
    statement: 'A secret that stands in the resource is read back as it was written.',
    source: 'Kafka AidboxTopicDestination, AWS MSK Kafka with IAM',
    verdict: 'different',
    here: "A secret that stands in the resource is read back masked; the masked form written back keeps it (`plainSecrets: 'echo'` for the other way).",
    because: 'a reader of the resource does not get the password',
  },
  'secret-plain-moved': {
    statement: 'A destination is replaced as a whole, with its secrets.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'stricter',
    here: 'When the brokers or the token endpoint change, a masked secret is asked for again (422).',
    because: 'it would be shown to whoever the new address belongs to',
  },
} as const
