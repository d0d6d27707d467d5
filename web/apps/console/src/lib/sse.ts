/** Server-sent events, taken apart as they come. https://html.spec.whatwg.org/#event-stream-interpretation */

export interface StreamEvent {
  event: string
  data: string
}

/** One for each stream; `push` takes text in pieces of any size. */
export class EventParser {
  private rest = ''
  private event = ''
  private data: string[] = []

  push(text: string): StreamEvent[] {
    const found: StreamEvent[] = []
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line !== '') {
        this.take(line)
        continue
      }
      if (this.data.length) found.push({ event: this.event || 'message', data: this.data.join('\n') })
      this.event = ''
      this.data = []
    }
    return found
  }

  private take(line: string) {
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment: the heartbeat
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.event = value
    else if (name === 'data') this.data.push(value)
  }
}

/** The events of a body. Ends when the body ends; throws when the connection breaks. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const parser = new EventParser()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield* parser.push(decoder.decode(value, { stream: true }))
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
