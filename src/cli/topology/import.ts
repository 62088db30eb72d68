import type { ClusterSection, TopologyDocument } from '../../topology/document.ts'
import { TopologyError } from '../../topology/finding.ts'
import { importedYaml, importTopology } from '../../topology/import-topology.ts'
import { parseTopology } from '../../topology/parse-topology.ts'
import { exitCodes, type Command, type CommandOptions } from '../command.ts'
import { json } from './topology-file.ts'
import { clusterOptions, withCluster } from './with-cluster.ts'

export const importCommand: Command = {
  name: 'topology import',
  summary: 'Reads topics and rights from a cluster and writes a file, to start from.',
  parameters: '',
  options: {
    prefix: { type: 'string', value: 'TEXT', doc: 'What the names of the topics start with.' },
    name: { type: 'string', value: 'NAME', doc: 'metadata.name of the file. Default: the prefix.' },
    principals: {
      type: 'string',
      value: 'NAME,…',
      doc: 'Kafka users whose rights become roles. Default: none.',
    },
    'bootstrap-servers': { ...clusterOptions['bootstrap-servers'], doc: 'Brokers.' },
    'security-protocol': {
      type: 'string',
      value: 'NAME',
      choices: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'],
      doc: 'PLAINTEXT (default), SSL, SASL_PLAINTEXT or SASL_SSL.',
    },
    'sasl-mechanism': {
      type: 'string',
      value: 'NAME',
      choices: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
      doc: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.',
    },
    truststore: {
      type: 'string',
      value: 'FILE',
      doc: 'Certificates in PEM form that brokers are trusted by.',
    },
    user: { type: 'string', value: 'NAME', doc: 'Kafka user to connect as.' },
    'secret-ref': {
      type: 'string',
      value: 'REFERENCE',
      doc: 'Where the password of the user is: env:<variable>, or a name in the vault configuration.',
    },
    'vault-config': clusterOptions['vault-config'],
  },
  run: async (call) => {
    const { options, io, positionals } = call
    const prefix = options.text('prefix')
    if (prefix === undefined || positionals.length > 0) {
      throw new TopologyError('The command takes --prefix and no file.')
    }
    const name = options.text('name') ?? (prefix.replace(/[^A-Za-z0-9]+$/, '') || 'topology')
    const document = connectionDocument(name, options)
    // As any other file, so that its form is checked.
    const source = parseTopology(JSON.stringify(document), 'options')
    const users = options.text('principals')?.split(',') ?? []
    const imported = await withCluster(source, call, (admin) =>
      importTopology(admin, {
        prefix,
        name,
        principals: users.map((user) => `User:${user.trim()}`),
        ...(source.document.cluster ? { cluster: source.document.cluster } : {}),
      }),
    )
    io.out(options.flag('json') ? json(imported) : importedYaml(imported))
    return exitCodes.inLine
  },
}

/** What the options say about the connection, in the form of a file. */
function connectionDocument(name: string, options: CommandOptions): TopologyDocument {
  const [user, secretRef] = [options.text('user'), options.text('secret-ref')]
  const cluster = {
    bootstrapServers: options.text('bootstrap-servers'),
    securityProtocol: options.text('security-protocol'),
    saslMechanism: options.text('sasl-mechanism'),
    truststore: options.text('truststore'),
    // The schema says which texts are protocols and mechanisms.
  } as ClusterSection
  return {
    apiVersion: 'fhir-kafka/v1',
    kind: 'KafkaTopology',
    metadata: { name },
    cluster,
    ...(user === undefined
      ? {}
      : {
          principals: {
            admin: { user: `User:${user}`, ...(secretRef === undefined ? {} : { secretRef }) },
          },
        }),
    topics: {},
  }
}
