/** Rows of all destinations by id, read in pages: many rows at once would be a long statement and hold up the event loop. Each page is as new as its
 *  statement.
 *  @param read the first `pageRows` rows behind an id */
export async function inPages<Row extends { readonly destinationId: number }>(
  pageRows: number,
  read: (afterId: number) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const all: Row[] = []
  for (;;) {
    const page = await read(all.at(-1)?.destinationId ?? 0)
    all.push(...page)
    if (page.length < pageRows) return all
  }
}
