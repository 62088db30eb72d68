/** One event of a stream as the HTML standard has them. */
export interface ServerSentEvent {
  readonly event: string
  readonly data: string
  /** Of this event or the last one before it that has one; '' before the first. */
  readonly id: string
}

/** Reads a body of the type `text/event-stream`. An event that the end cuts off is none.
 *  @param onChunk called for everything that comes, pings as well */
export async function* serverSentEvents(
  body: AsyncIterable<Uint8Array>,
  onChunk: () => void,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let text = ''
  let id = ''
  for await (const chunk of body) {
    onChunk()
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split(/\r?\n\r?\n/)
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = valuesOf(block, 'data')
      id = valuesOf(block, 'id').at(-1) ?? id
      if (data.length > 0) {
        yield { event: valuesOf(block, 'event').at(-1) ?? 'message', data: data.join('\n'), id }
      }
    }
  }
}

function valuesOf(block: string, field: string): string[] {
  return block
    .split(/\r?\n/)
    .filter((line) => line.startsWith(`${field}:`))
    .map((line) => line.slice(field.length + 1).replace(/^ /, ''))
}
