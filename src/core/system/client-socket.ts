import { EventEmitter } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

/**
 * A TCP or TLS connection of a client library that wants a socket at once, while what it is made of (files of
 * certificates) is read first. Offers as much of `net.Socket` as such a library uses.
 */

export interface TlsMaterial {
  /** PEM of the authorities that the server is verified by; null: those that Node trusts. */
  readonly ca: Buffer | null
  /** PEM of a client certificate with its chain, and its key; null: none. */
  readonly identity: { readonly cert: Buffer; readonly key: Buffer } | null
}

export interface ClientSocketOptions {
  /** Name or IP address without brackets. With TLS the server's certificate has to be for it. */
  readonly host: string
  readonly port: number
  /** Resolves with what TLS needs, or null for no TLS. What it rejects with becomes the socket's error. */
  readonly prepare: () => Promise<TlsMaterial | null>
  /** Called once, when bytes may be written: after the TLS handshake. */
  readonly onConnect: () => void
}

const keepAliveMs = 60_000
/** A peer that does not answer the end of a connection must not keep it open. */
const closeTimeoutMs = 2_000

/**
 * Emits `data`, then once: `error`, or `end` when the peer has ended or the connection, once made, is gone without a word;
 * and `close` when nothing of it is left.
 */
export class ClientSocket extends EventEmitter {
  #raw: net.Socket | null = null
  #ended = false
  #connected = false
  /** `end` or `error` was emitted. */
  #over = false

  constructor(options: ClientSocketOptions) {
    super()
    void this.#open(options)
  }

  write(bytes: Buffer): boolean {
    return this.#raw?.write(bytes) ?? false
  }

  /** Sends what was written, and closes. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    const raw = this.#raw
    if (raw === null) {
      this.emit('close')
      return
    }
    if (raw.connecting) {
      raw.destroy()
      return
    }
    raw.end()
    const timer = setTimeout(() => raw.destroy(), closeTimeoutMs)
    timer.unref()
    raw.once('close', () => clearTimeout(timer))
  }

  unref(): void {
    this.#raw?.unref()
  }

  async #open({ host, onConnect, port, prepare }: ClientSocketOptions): Promise<void> {
    try {
      const material = await prepare()
      if (this.#ended) return
      const connected = (): void => {
        if (this.#ended || this.#over) return
        this.#connected = true
        onConnect()
      }
      this.#attach(material === null ? net.connect({ host, port }, connected) : tls.connect(tlsOptions(host, port, material), connected))
    } catch (error) {
      this.#fail(error)
    }
  }

  #attach(raw: net.Socket): void {
    this.#raw = raw
    raw.setKeepAlive(true, keepAliveMs).setNoDelay(true)
    raw.on('data', (bytes) => this.emit('data', bytes))
    raw.on('error', (error) => this.#fail(error))
    raw.on('end', () => {
      // Before that, the reason follows as an error.
      if (this.#connected) this.#finish()
    })
    // Destroyed without an end or an error: nobody else would tell.
    raw.on('close', () => {
      if (this.#connected) this.#finish()
      else this.#fail(Object.assign(new Error('the connection was closed before it was made'), { code: 'ECONNRESET' }))
      this.emit('close')
    })
  }

  #fail(error: unknown): void {
    if (this.#over || this.#ended) return
    this.#over = true
    this.emit('error', error)
    if (this.#raw === null) this.emit('close')
  }

  #finish(): void {
    if (this.#over || this.#ended) return
    this.#over = true
    this.emit('end')
  }
}

function tlsOptions(host: string, port: number, { ca, identity }: TlsMaterial): tls.ConnectionOptions {
  return {
    host,
    port,
    minVersion: 'TLSv1.2',
    // Said here, so that no variable of the environment can say otherwise.
    rejectUnauthorized: true,
    // An IP address is no server name (RFC 6066, section 3); the certificate is checked against `host` all the same.
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca }),
    ...identity,
  }
}
