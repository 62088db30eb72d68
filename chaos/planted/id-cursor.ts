/** Planted: the reader remembers the last id only. What becomes visible below it later is never read. */
import { Client } from 'pg'
import { beforeQuery } from '../statements.ts'

const lookAgain = 'and (id > $6 or not pg_visible_in_snapshot(xid, $7::pg_snapshot))'

beforeQuery(Client, (text) =>
  text.replace(lookAgain, 'and id > $6 and $7::pg_snapshot is not null'),
)
