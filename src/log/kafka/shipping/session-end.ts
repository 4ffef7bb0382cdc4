import type { Producer } from 'kafkajs'

/** How a shipper's session lets go of its producer, and hears that it has to. */

/**
 * In its own time: what it has on its way lands as a repeat, or never. A send that still tries connects again behind a
 * disconnect; so once more when it has given up.
 */
export function abandon(producer: Producer, sending: Promise<unknown>): void {
  const disconnect = (): void => void producer.disconnect().catch(() => {})
  disconnect()
  sending.then(disconnect, disconnect)
}

/** At once when it has aborted already. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  if (signal.aborted) run()
  signal.addEventListener('abort', run, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', run) }
}
