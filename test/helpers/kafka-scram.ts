import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka'

/** Kafka's number of SCRAM-SHA-512. */
const scramSha512 = 2
const iterations = 4096

/** Gives a user of the broker another password for SCRAM-SHA-512. Connections that are logged in already stay. */
export async function setScramPassword(
  bootstrapServers: string,
  user: string,
  password: string,
): Promise<void> {
  const [host = '', port = ''] = bootstrapServers.split(':')
  const connection = new Connection('test-scram')
  await connection.connect(host, Number(port))
  try {
    const salt = randomBytes(16)
    const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
    const changed = { name: user, mechanism: scramSha512, iterations, salt, saltedPassword }
    await alterUserScramCredentialsV0.api.async(connection, [], [changed])
  } finally {
    await connection.close()
  }
}
