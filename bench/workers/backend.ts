import { answer } from './answers.ts'
import { bulkBeginning, bulkChunk, clientFinish, shortReply } from './payload.ts'
import { listen, readBuffer, type Peer, type RawSocket } from './raw-tcp.ts'

/**
 * The backend behind every proxy: raw TCP, no TLS, so that cryptography does not hide what the proxy costs. Checks that
 * the hello arrives as it was sent and counts every byte.
 */

export type BackendMode = 'reply' | 'download' | 'upload'

export interface BackendCounts {
  /** Connections whose hello arrived whole and unchanged. */
  hellos: number
  /** Connections that sent other bytes, too many bytes, or broke. */
  wrong: number
  /** Bytes received after the hello. */
  bytes: number
}

let hello = Buffer.alloc(0)
let mode: BackendMode = 'reply'
let transferBytes = 0
let counts: BackendCounts = { hellos: 0, wrong: 0, bytes: 0 }

class Served implements Peer {
  readonly #socket: RawSocket
  #got = 0
  #toSend = 0
  #closed = false

  constructor(socket: RawSocket) {
    this.#socket = socket
  }

  connected(): void {}

  read(length: number): void {
    const before = this.#got
    this.#got += length
    if (before < hello.length) {
      const part = Math.min(length, hello.length - before)
      if (readBuffer.compare(hello, before, before + part, 0, part) !== 0) counts.wrong += 1
      if (this.#got < hello.length) return
      counts.hellos += 1
      counts.bytes += length - part
      if (mode === 'reply') this.#socket.write(shortReply)
      else if (mode === 'download') this.#begin(transferBytes)
    } else {
      counts.bytes += length
    }
    if (mode === 'upload' && this.#got === hello.length + transferBytes) this.#socket.write(shortReply)
    if (this.#got > hello.length + { download: 0, reply: clientFinish.length, upload: transferBytes }[mode]) counts.wrong += 1
  }

  written(): void {
    if (this.#toSend > 0) this.#send(this.#toSend)
  }

  /** A connection without bytes is a health check. */
  ended(status: number): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#got > 0 && (status !== 0 || this.#got < hello.length || this.#toSend > 0)) counts.wrong += 1
    if (status === 0) this.#socket.endAndClose()
    else this.#socket.close()
  }

  #begin(bytes: number): void {
    if (this.#socket.write(bulkBeginning)) this.#send(bytes - bulkBeginning.length)
    else this.#toSend = bytes - bulkBeginning.length
  }

  #send(bytes: number): void {
    this.#toSend = bytes
    let room = true
    while (room && this.#toSend > 0) {
      const chunk = this.#toSend < bulkChunk.length ? bulkChunk.subarray(0, this.#toSend) : bulkChunk
      this.#toSend -= chunk.length
      room = this.#socket.write(chunk)
    }
  }
}

answer({
  listen: (parameters: { hello: string; count: number }) => {
    hello = Buffer.from(parameters.hello, 'base64')
    return Array.from({ length: parameters.count }, () => listen((socket) => new Served(socket)))
  },
  /** Resets the counts. */
  mode: (parameters: { mode: BackendMode; bytes?: number }) => {
    mode = parameters.mode
    transferBytes = parameters.bytes ?? 0
    counts = { hellos: 0, wrong: 0, bytes: 0 }
  },
  counts: () => counts,
})
