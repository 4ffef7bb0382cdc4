/** A real TLS server for a client's first visit, so that its second one resumes: openssl s_server. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificate } from '../../support/certificates.ts'
import { name } from './client.ts'

export interface SessionServer extends Disposable {
  readonly port: number
}

/**
 * `-www` answers with a page and hangs up, one client after the other; `-early_data`, which excludes it, stays on the line
 * until the client leaves, and allows early data with the next session.
 */
export async function startSessionServer(scratch: string, manner: '-early_data' | '-www'): Promise<SessionServer> {
  const { key, cert } = certificate(name)
  const [keyFile, certFile] = [join(scratch, 'server-key.pem'), join(scratch, 'server-cert.pem')]
  writeFileSync(keyFile, key)
  writeFileSync(certFile, cert)
  const args = ['s_server', '-accept', '127.0.0.1:0', '-key', keyFile, '-cert', certFile, manner]
  const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const found = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)
      if (found !== null) resolve(Number(found[1]))
    })
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`openssl s_server ended with ${code} before it accepted anybody`)))
  })
  return { port, [Symbol.dispose]: () => void child.kill() }
}
