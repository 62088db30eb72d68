import { TopicDestinationError } from '../../errors.ts'
import { outboxGrantsSql } from '../../outbox/host-grants.ts'
import { outboxSchema } from '../../outbox/schema.ts'
import { serverVariables } from '../../server/options.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { printableJson } from '../printable.ts'

const { databaseUrl: urlVariable, outboxSchema: schemaVariable } = serverVariables

export const migrateCommand: Command = {
  name: 'migrate',
  summary:
    'Brings the outbox of a database up to date, as the module does at its start, and says its version before and after.',
  parameters: '',
  options: {
    'database-url': {
      type: 'string',
      value: 'URL',
      doc: `PostgreSQL connection string. Default: the variable ${urlVariable.name}, else PGHOST, PGUSER and so on, as for psql.`,
    },
    schema: {
      type: 'string',
      value: 'NAME',
      doc: `PostgreSQL schema of the outbox. Default: the variable ${schemaVariable.name}, else ${String(schemaVariable.default)}.`,
    },
    check: { type: 'boolean', doc: 'Change nothing; ends with 2 when migrations are missing.' },
    grants: {
      type: 'string',
      value: 'ROLE',
      doc: "Print the SQL that gives the role of the host's own connections its rights, and ask no database.",
    },
  },
  run: migrate,
}

async function migrate(call: CommandCall): Promise<number> {
  const { io, options } = call
  const schema = outboxSchema(setting(call, 'schema', schemaVariable.name))
  const [role, isCheck] = [options.text('grants'), options.flag('check')]
  if (role !== undefined) {
    if (role === '' || isCheck) {
      throw new TopicDestinationError(
        'KTD_INVALID_OPTION',
        '--grants takes the name of a role, and no --check.',
      )
    }
    const sql = outboxGrantsSql(role, schema.name)
    io.out(options.flag('json') ? `${printableJson({ sql }, 2)}\n` : sql)
    return exitCodes.inLine
  }
  const { runMigration } = await import('./run-migration.ts')
  const databaseUrl = setting(call, 'database-url', urlVariable.name)
  const versions = await runMigration({ databaseUrl, schema, isCheck })
  const { before, after, wanted } = versions
  if (options.flag('json')) io.out(`${printableJson({ schema: schema.name, ...versions }, 2)}\n`)
  else if (after < wanted) io.out(`${schema.name}: version ${before}, wanted is ${wanted}\n`)
  else if (before < after) io.out(`${schema.name}: version ${before} before, ${after} now\n`)
  else io.out(`${schema.name}: version ${after}, up to date\n`)
  return after < wanted ? exitCodes.differences : exitCodes.inLine
}

/** An empty variable is the same as none. */
function setting(
  { options, io }: CommandCall,
  option: string,
  variable: string,
): string | undefined {
  return options.text(option) ?? (io.env[variable] || undefined)
}
