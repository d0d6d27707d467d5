import { describe, expect, it } from 'vitest'
import { EventParser, readEvents } from './sse'

const stream = 'event: start\ndata: {"id":"1"}\n\n:\n\nevent: stdout\ndata: a\ndata: b\n\ndata: plain\n\n'

describe('EventParser', () => {
  it('gives the same events however the text is cut', () => {
    const whole = new EventParser().push(stream)
    expect(whole).toEqual([
      { event: 'start', data: '{"id":"1"}' },
      { event: 'stdout', data: 'a\nb' },
      { event: 'message', data: 'plain' },
    ])
    for (let size = 1; size < 12; size++) {
      const parser = new EventParser()
      const found = []
      for (let at = 0; at < stream.length; at += size) found.push(...parser.push(stream.slice(at, at + size)))
      expect(found).toEqual(whole)
    }
  })

  it('takes CRLF and CR, also across a cut', () => {
    const parser = new EventParser()
    expect(parser.push('event: x\r')).toEqual([])
    expect(parser.push('\ndata: 1\r\n\r')).toEqual([])
    expect(parser.push('\n')).toEqual([{ event: 'x', data: '1' }])
    expect(new EventParser().push('data: 1\r\rdata: 2\r\r:')).toEqual([
      { event: 'message', data: '1' },
      { event: 'message', data: '2' },
    ])
  })

  it('drops an event that was cut off, and fields it does not know', () => {
    expect(new EventParser().push('id: 7\nretry: 1\ndata: whole\n\nevent: stdout\ndata: cut')).toEqual([
      { event: 'message', data: 'whole' },
    ])
  })
})

describe('readEvents', () => {
  it('puts characters together that were cut between bytes', async () => {
    const bytes = new TextEncoder().encode('data: zł😀\n\n')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    const found = []
    for await (const event of readEvents(body)) found.push(event.data)
    expect(found).toEqual(['zł😀'])
  })

  it('throws when the connection breaks', async () => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new TypeError('network error'))
      },
    })
    await expect(readEvents(body).next()).rejects.toThrow('network error')
  })
})
