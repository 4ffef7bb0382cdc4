import { once } from 'node:events'
import { createServer } from 'node:https'
import { generate } from 'selfsigned'

/** A real TLS server for the demonstration, with a certificate that nobody trusts and that is gone with it. */

export interface DemoBackend extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** In PEM: whoever trusts it knows that no one else answered. */
  readonly certificate: string
  /** Ends it like a machine that is switched off; twice is fine. */
  stop(): Promise<void>
}

export async function startDemoBackend(name: string, serverName: string): Promise<DemoBackend> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: `backend ${name}` }], {
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: serverName }] }],
    keyType: 'ec',
  })
  const server = createServer({ cert, key }, (_request, response) => response.end(`hello from backend ${name}\n`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { name, port, certificate: cert, stop, [Symbol.asyncDispose]: stop }
}
