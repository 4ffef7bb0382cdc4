import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { TemporaryFolder, Worker } from './children.ts'
import { serverName } from './hello.ts'
import type { Bench, Measure } from './measure.ts'
import { percentile } from './statistics.ts'
import { direct, type Running, type Target } from './targets.ts'
import type { Handshakes } from './workers/tls-client.ts'

/** What a proxy adds to a whole TLS handshake with a real TLS backend: one at a time, all targets in turn. */

const warmUpHandshakes = 100

export const handshake: Measure = {
  name: 'handshake',
  metrics: [
    { key: 'handshake.p50', label: 'TLS handshake p50, ms', digits: 2, ratio: false },
    { key: 'handshake.p99', label: 'TLS handshake p99, ms', digits: 2, ratio: false },
    { key: 'handshake.added.p50', label: '… added p50, ms', digits: 2, ratio: true },
    { key: 'handshake.added.p99', label: '… added p99, ms', digits: 2, ratio: false },
  ],
  run: async (bench) => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(new TemporaryFolder(bench.temporary))
    const files = makeCertificate(folder.path)
    if (files === null) return bench.skip('TLS handshakes: openssl, which makes the certificate, is not installed')
    const backend = stack.use(new Worker('tls-backend.ts'))
    const client = stack.use(new Worker('tls-client.ts'))
    const backendPort = await backend.ask<number>('listen', files)

    const started: { target: Target; proxy: Running }[] = []
    for (const target of [direct, ...bench.targets.filter(({ name }) => name !== 'direct')]) {
      await bench.attempt(target.name, async () => {
        const proxy = stack.use(await target.start([backendPort], bench.temporary))
        await client.ask('handshakes', { ports: [proxy.port], count: warmUpHandshakes, serverName })
        started.push({ target, proxy })
      })
    }
    const count = bench.options.handshakes
    const ports = started.map(({ proxy }) => proxy.port)
    const { times } = await client.ask<Handshakes>('handshakes', { ports, count, serverName }, 600_000)
    report(bench, started, times)
    for (const { target, proxy } of started) {
      await bench.attempt(target.name, () => proxy.finish(warmUpHandshakes + count))
    }
  },
}

function report(bench: Bench, started: readonly { target: Target }[], times: Handshakes['times']): void {
  for (const percent of [50, 99]) {
    const base = percentile(times[0]!, percent)
    for (const [index, { target }] of started.entries()) {
      const value = percentile(times[index]!, percent)
      bench.record(target.name, `handshake.p${percent}`, value)
      if (target !== direct) bench.record(target.name, `handshake.added.p${percent}`, value - base)
    }
  }
}

/** A throwaway certificate, made by openssl: Node can't sign one. Null: there is no openssl. */
function makeCertificate(folder: string): { key: string; certificate: string } | null {
  const key = join(folder, 'key.pem')
  const certificate = join(folder, 'certificate.pem')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', `/CN=${serverName}`, '-addext', `subjectAltName=DNS:${serverName}`]
  const args = ['req', '-x509', ...curve, '-days', '2', ...names, '-keyout', key, '-out', certificate]
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  return { key, certificate }
}
