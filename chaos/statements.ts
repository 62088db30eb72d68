import type { Client } from 'pg'

/** Part of every statement that acknowledges a page. */
export const acknowledgementSql = 'delivered = delivered +'

type Query = (this: Client, ...args: unknown[]) => unknown

/** Hands the text of every statement of this process through `change` before it is sent. */
export function beforeQuery(client: typeof Client, change: (text: string) => string): void {
  const prototype = client.prototype as unknown as { query: Query }
  const { query } = prototype
  prototype.query = function (first, ...rest) {
    return query.call(this, typeof first === 'string' ? change(first) : first, ...rest)
  }
}
