/** Something of every destination, in pages, so that no statement runs for long and no answer holds up the event loop. Each page is as new as its
 *  statement.
 *
 *  @param readPage the next `pageRows` behind the id, in the order of the ids */
export async function readInPages<Row extends { readonly destinationId: number }>(
  pageRows: number,
  readPage: (afterId: number) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const all: Row[] = []
  for (;;) {
    const page = await readPage(all.at(-1)?.destinationId ?? 0)
    all.push(...page)
    if (page.length < pageRows) return all
  }
}
