import { describe, expect, test } from 'vitest'
import { ConnectionClosed, ConnectionOpened } from '../../events/connection.ts'
import type { TlsFactsRecorded } from '../../events/tls.ts'
import { connectionsCommand } from '../../src/cli/connections.ts'
import type { Harness } from '../api/harness.ts'
import { folder, objects, run, serving, type Ran } from './harness.ts'

function connections(...argv: string[]): Promise<Ran> {
  return run(connectionsCommand, argv)
}

/** Opens so many, in the order of their ids. */
function open(api: Harness, count: number): string[] {
  const [example] = ConnectionOpened.examples
  const [{ tls }] = ConnectionClosed.examples
  return Array.from({ length: count }, (_, index) => {
    const connection_id = `0199e3c1-7a52-7000-8000-${String(index).padStart(12, '0')}`
    const opened = { ...example, connection_id }
    api.connections.set(connection_id, { opened, openedAt: '2026-11-24T08:00:00.000Z', bytesToBackend: index, bytesToClient: 2_048, encrypted: opened.encrypted, tls })
    return connection_id
  })
}

describe('connections', () => {
  test('list shows all, over as many pages as it takes, or the first so many', async () => {
    await using data = folder()
    await using api = await serving(data)
    const ids = open(api, 1_201)
    const listed = await connections('list', '--json', '--data', data.path)
    expect(objects(listed.out).map(({ id }) => id)).toEqual(ids)
    expect(objects((await connections('list', '--json', '--limit', '1100', '--data', data.path)).out)).toHaveLength(1_100)
    expect((await connections('list', '--limit', '1', '--data', data.path)).out).toMatch(
      /^CONNECTION .*\n0199e3c1-7a52-7000-8000-000000000000 +2026-11-24T08:00:00\.000Z +\S+ .* 0 B +2\.0 KiB\n$/,
    )
  })

  test('filters narrow it', async () => {
    await using data = folder()
    await using api = await serving(data)
    open(api, 2)
    const [example] = ConnectionOpened.examples
    const matching = ['--pool', example.pool, '--backend', example.backend, '--client', example.client?.ip ?? '', '--listener', example.listener]
    expect(objects((await connections('list', '--json', ...matching, '--data', data.path)).out)).toHaveLength(2)
    expect(objects((await connections('list', '--json', '--ja4', example.ja4 ?? '', '--encrypted', 'true', '--data', data.path)).out)).toHaveLength(2)
    expect((await connections('list', '--encrypted', 'false', '--data', data.path)).out).toBe('No such connection is open on this node.\n')
    expect((await connections('list', '--pool', 'other', '--data', data.path)).out).toBe('No such connection is open on this node.\n')
  })

  test('show and end are about one', async () => {
    await using data = folder()
    await using api = await serving(data)
    const [id] = open(api, 1)
    const shown = (await connections('show', id!, '--data', data.path)).out
    expect(shown).toMatch(/^bytes to client +2\.0 KiB$/m)
    expect(shown).toMatch(/^routed by +server_name\nencrypted +yes\n/m)
    expect(shown).toMatch(/^JA4 +t13d1516h2_8daaf6152771_e5627efa2ab1\nnegotiated +TLSv1\.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768\nhandshake +inferred_complete\nalerts +-$/m)
    expect((await connections('end', id!, '--data', data.path)).out).toBe(`Connection ${id} is ended.\n`)
    expect(api.endedBy).toHaveLength(1)
    for (const verb of ['end', 'show']) {
      expect((await connections(verb, id!, '--data', data.path)).error).toMatchObject({ problem: 'connection_unknown', status: 404 })
    }
  })

  test('what is not encrypted, what was refused in the clear, and what is not known yet stands out', async () => {
    await using data = folder()
    await using api = await serving(data)
    const [id, other] = open(api, 2)
    const [tls, plain] = [api.connections.get(id!)!, api.connections.get(other!)!]
    const facts: TlsFactsRecorded = { ...tls.tls!, alerts: [{ by: 'backend', code: 40, name: 'handshake_failure' }], hello_retry_request: true, resumed: true }
    api.connections.set(id!, { ...tls, tls: facts })
    api.connections.set(other!, { ...plain, encrypted: false, opened: { ...plain.opened, ja4: null, routed_by: 'not_tls', server_name: null }, tls: null })
    const shown = (await connections('show', id!, '--data', data.path)).out
    expect(shown).toMatch(/^handshake +inferred_complete, resumed, after a hello retry request\nalerts +handshake_failure \(backend\)$/m)
    expect((await connections('show', other!, '--data', data.path)).out).toMatch(/^routed by +not_tls\nencrypted +no$/m)
    expect((await connections('list', '--data', data.path)).out).toMatch(/ TLSv1\.3 .*\n.* plaintext /)
  })

  test('only a server knows what is open', async () => {
    await using data = folder()
    expect((await connections('list', '--data', data.path)).error).toMatchObject({ code: 'no_server', source: 'network' })
  })
})
