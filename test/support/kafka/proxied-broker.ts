import { startFaultProxy, type FaultProxy } from './fault-proxy.ts'
import { startBroker, type OwnBroker } from './own-broker.ts'

/** A broker of its own that clients reach through a proxy which can lose what a network loses. */

export interface ProxiedBroker extends AsyncDisposable {
  readonly broker: OwnBroker
  readonly proxy: FaultProxy
  /** Where clients find it. */
  readonly brokers: string[]
}

export async function startProxiedBroker(properties: Readonly<Record<string, string>> = {}): Promise<ProxiedBroker> {
  await using starting = new AsyncDisposableStack()
  const proxy = starting.use(await startFaultProxy())
  const broker = starting.use(await startBroker({ advertised: proxy.address, properties }))
  const [host, port] = broker.address.split(':')
  proxy.upstream(host!, Number(port))
  const started = starting.move()
  return { broker, brokers: [proxy.address], proxy, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
