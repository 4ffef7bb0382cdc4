import { expect, test } from 'vitest'
import { ConnectionRefused } from '../../../events/connection.ts'
import { connectionRefused } from '../../../src/core/channels.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { listenToConnections } from '../../../src/telemetry/logs/connection-lines.ts'

/** Opened and closed ones are seen at a real process, in program-lines.e2e. */

const refused = ConnectionRefused.data.parse(ConnectionRefused.examples[0])
const told = { because: 'not_tls', listener: 'shared', pool: null, attempts: 0, afterMs: 1 } as const

test('a client that was refused has a line when it has a record, and a flood has no more lines than records', () => {
  const said: unknown[] = []
  {
    using _lines = listenToConnections({ ...silentLogger, debug: (sentence, fields) => said.push([sentence, fields]) })
    connectionRefused.tell({ ...told, record: { id: 'r1', refused } })
    connectionRefused.tell({ ...told, record: null })
  }
  connectionRefused.tell({ ...told, record: { id: 'r2', refused } })
  expect(said).toEqual([['a client was refused', { because: 'not_tls', client: refused.client, listener: 'shared', pool: null, record: 'r1' }]])
})

test('a line that can not be written ends nothing, and is told once', () => {
  const errors: string[] = []
  const debug = (): void => {
    throw new Error('no line')
  }
  using _lines = listenToConnections({ ...silentLogger, debug, error: (sentence) => void errors.push(sentence) })
  for (const id of ['r1', 'r2']) connectionRefused.tell({ ...told, record: { id, refused } })
  expect(errors).toEqual([expect.stringContaining('writing lines about refused clients failed')])
})
