import { describe, expect, test } from 'vitest'
import { PoolCreated } from '../../events/pool.ts'
import { trailCommand } from '../../src/cli/trail.ts'
import { draftOf } from '../support/records.ts'
import { fileLog, folder, objects, run, serving, type Folder, type Ran } from './harness.ts'

const id = 'backend1.internal:8443'

function trail(data: Folder, ...argv: string[]): Promise<Ran> {
  return run(trailCommand, [...argv, '--data', data.path])
}

describe('trail', () => {
  test('tells from a server what happened to a pool, a backend, and what an actor did', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a', backends: [{ url: `https://${id}` }] })
    await api.post(`/api/pools/a/backends/${encodeURIComponent(id)}/drain`, {})
    const ofPool = await trail(data, 'pools/a')
    expect(ofPool.error).toBeNull()
    expect(ofPool.out.split('\n').map((line) => line.slice(26))).toEqual([
      expect.stringMatching(/^SUBJECT +WHAT +BY +REVISION$/),
      expect.stringMatching(/^pools\/a +created with 1 backend, as the default route +loopback +1$/),
      expect.stringMatching(/^backends\/a\/backend1\.internal:8443 +drained; open connections go on +loopback +2$/),
      '',
    ])
    expect(objects((await trail(data, `backends/a/${id}`, '--json')).out)).toMatchObject([{ entries: [{ revision: 1 }, { revision: 2 }] }])
    expect(objects((await trail(data, 'actors/loopback', '--json')).out)[0]).toMatchObject({ about: { kind: 'actor', id: 'loopback' } })
    await api.call('PATCH', '/api/listeners/shared', { timeout: { pool: 'a' } })
    expect((await trail(data, 'listeners/shared')).out).toMatch(/ listeners\/shared +changed: timeout \{"pool":"a"\} +loopback +3\n/)
    expect((await trail(data, 'listeners/pools/a')).out).toBe('Nothing is on record of listeners/pools/a.\n')
    expect((await trail(data, 'pools/b')).out).toBe('Nothing is on record of pools/b.\n')
  })

  test('tells the same from files', async () => {
    await using data = folder()
    const log = await fileLog(data)
    await log.append('control', [draftOf(PoolCreated, { ...PoolCreated.examples[0], name: 'a' })], { purpose: 'owed' })
    await log.append('control', [draftOf(PoolCreated, { ...PoolCreated.examples[0], name: 'a' })], { purpose: 'owed' })
    await log.close(5_000)
    const { error, out } = await trail(data, 'pools/a')
    expect(error).toBeNull()
    expect(out).toMatch(/ 1\n.* 1 \(void\)\n$/)
    expect(objects((await trail(data, 'listeners/shared', '--json')).out)).toMatchObject([{ about: { kind: 'listener', name: 'shared' } }])
    expect(objects((await trail(data, `backends/a/${id}`, '--json')).out)).toMatchObject([
      { about: { id, kind: 'backend', pool: 'a' }, changes_end: null, entries: [{ effect: 'effective' }, { effect: 'void' }] },
    ])
  })

  test.each(['a', 'pools/', 'pools/a/b', 'backends/a', 'connections', 'nodes/a', 'listeners/a', 'listeners/shared/a', 'listeners/pools', 'listeners/pools/', 'listeners/pools/a/b'])('%s is no subject', async (subject) => {
    await using data = folder()
    expect((await trail(data, subject)).error).toMatchObject({ code: 'subject_invalid', source: 'settings' })
  })
})
