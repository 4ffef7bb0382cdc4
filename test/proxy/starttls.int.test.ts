import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { startRig, type Rig } from '../support/rig.ts'
import { opensslVersion } from '../support/tls-hellos-real.ts'

/** Clients of protocols that begin in plaintext and ask for TLS later: a refusal that they and the records state clearly. */

const psqlVersion: string | null = spawnSync('psql', ['--version'], { encoding: 'utf8' }).stdout ?? null

async function run(command: string, parameters: readonly string[]): Promise<{ readonly status: number; readonly output: string }> {
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PGPASSWORD: 'secret', PGCONNECT_TIMEOUT: '10' } })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number]
  return { status, output }
}

async function refusals(rig: Rig) {
  return (await rig.records('connections')).flatMap(({ type, data }) => (type === 'dev.waybill.connection.refused.v1' ? [data] : []))
}

async function rigWithPool(peekTimeoutMs = 5_000): Promise<Rig> {
  const rig = await startRig({ timeouts: { peekTimeoutMs } })
  await rig.addPool({ backends: [{ port: 1 }] })
  return rig
}

describe.skipIf(psqlVersion === null)('psql (skipped where it is not installed: apt-get install postgresql-client)', () => {
  test.each(['require', 'verify-full'])('sslmode=%s gets an error of its own protocol, not just a closed connection', async (sslmode) => {
    await using rig = await rigWithPool()
    const { status, output } = await run('psql', [`host=127.0.0.1 port=${rig.port} user=app dbname=app sslmode=${sslmode}`, '-c', 'select 1'])
    expect(status).not.toBe(0)
    expect(output).toMatch(/TLS passthrough proxy: TLS has to begin with the first byte|error response during SSL exchange/)
    const [first] = await refusals(rig)
    expect(first).toMatchObject({
      alert: null, because: 'not_tls', detail: 'first byte is 0x00: it looks like a PostgreSQL SSLRequest', pool: null, server_name: null,
    })
  })

  test('sslmode=disable as well, on record as what it is', async () => {
    await using rig = await rigWithPool()
    const { status } = await run('psql', [`host=127.0.0.1 port=${rig.port} user=app dbname=app sslmode=disable`, '-c', 'select 1'])
    expect(status).not.toBe(0)
    expect((await refusals(rig))[0]).toMatchObject({ because: 'not_tls', detail: 'first byte is 0x00: it looks like a PostgreSQL StartupMessage' })
  })
})

describe.skipIf(opensslVersion === null)('openssl s_client -starttls (skipped where the openssl command is not OpenSSL)', () => {
  test.each(['smtp', 'imap', 'pop3', 'ftp', 'mysql'])('%s: it waits for the server, which is not asked before a hello has come', async (protocol) => {
    await using rig = await rigWithPool(300)
    const { status, output } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${rig.port}`, '-starttls', protocol])
    expect(status).not.toBe(0)
    expect(output).not.toMatch(/Cipher is TLS/)
    const [first] = await refusals(rig)
    expect(first).toMatchObject({ alert: null, because: 'peek_timeout', pool: null })
    expect(first!.detail).toMatch(/^the client sent nothing; in SMTP, /)
  })

  test.each([
    ['postgres', 'not_tls', /PostgreSQL SSLRequest/],
    ['xmpp', 'not_tls', /^first byte is 0x3c$/],
    ['ldap', 'not_tls', /^first byte is 0x30$/],
  ])('%s: it speaks first, and no TLS', async (protocol, because, detail) => {
    await using rig = await rigWithPool()
    const { output } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${rig.port}`, '-starttls', protocol])
    expect(output).not.toMatch(/Cipher is TLS/)
    const [first] = await refusals(rig)
    expect(first).toMatchObject({ alert: null, because, pool: null })
    expect(first!.detail).toMatch(detail)
  })
})
