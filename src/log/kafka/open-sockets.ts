import type { ISocketFactory } from 'kafkajs'

type BrokerSocket = ReturnType<ISocketFactory>

/** Every connection of one client, so that none outlives it. */
export class OpenSockets {
  readonly #open = new Set<BrokerSocket>()
  #closed = false

  /** The same sockets, known here until they close. */
  tracking(make: ISocketFactory): ISocketFactory {
    return (options) => {
      const socket = make(options)
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
      if (this.#closed) socket.end()
      return socket
    }
  }

  close(): void {
    this.#closed = true
    for (const socket of this.#open) socket.end()
  }
}
