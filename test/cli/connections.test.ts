import { describe, expect, test } from 'vitest'
import { ConnectionOpened } from '../../events/connection.ts'
import { connectionsCommand } from '../../src/cli/connections.ts'
import type { Harness } from '../api/harness.ts'
import { folder, objects, run, serving, type Ran } from './harness.ts'

function connections(...argv: string[]): Promise<Ran> {
  return run(connectionsCommand, argv)
}

/** Opens so many, in the order of their ids. */
function open(api: Harness, count: number): string[] {
  const [example] = ConnectionOpened.examples
  return Array.from({ length: count }, (_, index) => {
    const connection_id = `0199e3c1-7a52-7000-8000-${String(index).padStart(12, '0')}`
    const opened = { ...example, connection_id }
    api.connections.set(connection_id, { opened, openedAt: '2026-11-24T08:00:00.000Z', bytesToBackend: index, bytesToClient: 2_048 })
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
    expect((await connections('list', '--pool', 'other', '--data', data.path)).out).toBe('No such connection is open on this node.\n')
  })

  test('show and end are about one', async () => {
    await using data = folder()
    await using api = await serving(data)
    const [id] = open(api, 1)
    expect((await connections('show', id!, '--data', data.path)).out).toMatch(/^bytes to client +2\.0 KiB$/m)
    expect((await connections('end', id!, '--data', data.path)).out).toBe(`Connection ${id} is ended.\n`)
    expect(api.endedBy).toHaveLength(1)
    for (const verb of ['end', 'show']) {
      expect((await connections(verb, id!, '--data', data.path)).error).toMatchObject({ problem: 'connection_unknown', status: 404 })
    }
  })

  test('only a server knows what is open', async () => {
    await using data = folder()
    expect((await connections('list', '--data', data.path)).error).toMatchObject({ code: 'no_server', source: 'network' })
  })
})
