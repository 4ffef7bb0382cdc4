import type { ISocketFactory } from 'kafkajs'

type BrokerSocket = ReturnType<ISocketFactory>

const closed = 'the client is closed'

/** Every connection of one client, so that none outlives it. */
export class OpenSockets {
  readonly #open = new Set<BrokerSocket>()
  #closed = false

  /** The same sockets, known here until they close. */
  tracking(make: ISocketFactory): ISocketFactory {
    return (options) => {
      // Whoever asks now repeats an attempt from before, and would wait for its end each time.
      if (this.#closed) throw new Error(closed)
      const socket = make(options)
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
      return socket
    }
  }

  close(): void {
    this.#closed = true
    for (const socket of this.#open) {
      // An end of ours tells kafkajs nothing: it would look every 100 ms for late requests, and keep the process for ever.
      socket.emit('error', new Error(closed))
      socket.end()
      // Waits for nobody: a broker that hangs never answers an end.
      socket.unref()
    }
  }
}
