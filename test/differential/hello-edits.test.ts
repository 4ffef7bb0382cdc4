import { beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../simulation/seeded-random.ts'
import { catchNodeHello } from '../support/tls-hellos-real.ts'
import { payloadOf, record, records } from '../support/tls-hellos.ts'
import { helloOf, judge } from '../support/tls-hellos-judge.ts'
import { damages } from './damage.ts'
import { nameAt, padded, putTogether, takeApart, withName } from './hello-edits.ts'

/** What the comparison sends is only worth something if hellos that should be right are, and each damage is one. */

let message: Buffer
beforeAll(async () => {
  message = payloadOf(Buffer.concat(await catchNodeHello({ servername: 'app.example.test', ALPNProtocols: ['h2'] })))
})

describe('a hello that was edited', () => {
  test('is the same when it is only taken apart and put together', () => {
    expect(putTogether(takeApart(message))).toEqual(message)
  })

  test('has the length that was asked for, and says the same', () => {
    const long = padded(message, 50_000)
    expect(long).toHaveLength(50_000)
    expect(helloOf(judge(records(long)))).toMatchObject({ serverName: 'app.example.test', alpn: ['h2'] })
  })

  test('has its name where it is looked for', () => {
    expect(message.subarray(nameAt(message)).toString('latin1')).toMatch(/^app\.example\.test/)
    expect(helloOf(judge(record(withName(message, 'other.example'))))).toMatchObject({ serverName: 'other.example' })
  })
})

describe('a damaged hello', () => {
  test.each(damages.map((damage) => [`${damage.group}: ${damage.what}`, damage] as const))('%s is none', (_what, damage) => {
    const sound = { message, name: 'app.example.test', otherName: 'other.example' }
    const verdict = judge(damage.wire(sound, new SeededRandom(1, 'damage')))
    const kind = verdict.kind === 'hello' ? `name ${verdict.hello.serverNameKind}` : verdict.kind
    const kinds: Readonly<Record<string, string>> = {
      client_gone: 'incomplete',
      hello_malformed: damage.elsewhere === 'default' ? 'name invalid' : 'malformed',
      hello_too_large: 'too_large',
      peek_timeout: 'incomplete',
    }
    expect(kind).toBe(kinds[damage.because] ?? damage.because)
  })
})
