import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { streams, type Stream } from '../../events/define.ts'
import { logCommand } from '../../src/cli/log-copy.ts'
import { messageOf } from '../../src/core/errors.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { draft, readAll, textOf } from '../support/drafts.ts'
import { freshPrefix } from '../support/kafka/broker.ts'
import { hastyClock } from '../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../support/kafka/jars.ts'
import { topicRecords } from '../support/kafka/logs.ts'
import { NodeFolder } from '../support/kafka/node-folder.ts'
import { plainLogin, scramLogin, startSecuredBroker, unsignedToken, type SecuredBroker } from '../support/kafka/secured.ts'
import { TemporaryFolder } from '../support/waybill.ts'
import { runVerb, Screen } from './harness.ts'

/** `waybill log copy` with brokers that ask who comes: both ways, by every way in, and what is said when they refuse. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const count = 20
/** Nobody was heard of for a while. */
const later = hastyClock(1, 60_000)

describe.skipIf(skipReason !== null)(`log copy and a secured broker${skipped}`, () => {
  let secured: SecuredBroker
  let ways: Readonly<Record<'certificate' | 'oauthbearer' | 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'wrong', readonly string[]>>
  const printed: string[] = []

  beforeAll(async () => {
    secured = await startSecuredBroker()
    const at = (name: string): string => join(secured.folder, name)
    const { cert, key } = secured.authority.issue('copy', 'DNS:copy')
    await writeFile(at('copy.pem'), cert)
    await writeFile(at('copy.key'), key)
    await writeFile(at('plain.password'), plainLogin.password)
    await writeFile(at('scram.password'), scramLogin.password)
    await writeFile(at('token'), unsignedToken(Date.now()))
    const tls = (broker: string): string[] => ['--kafka', broker, '--kafka-tls', 'true', '--kafka-ca', at('ca.pem')]
    const login = (mechanism: string, { user }: { readonly user: string }, file: string): string[] =>
      [...tls(secured.byLogin), '--kafka-sasl', mechanism, '--kafka-user', user, '--kafka-password-file', at(file)]
    ways = {
      certificate: [...tls(secured.byCertificate), '--kafka-cert', at('copy.pem'), '--kafka-key', at('copy.key')],
      oauthbearer: [...tls(secured.byLogin), '--kafka-sasl', 'oauthbearer', '--kafka-token-file', at('token')],
      plain: login('plain', plainLogin, 'plain.password'),
      'scram-sha-256': login('scram-sha-256', scramLogin, 'scram.password'),
      'scram-sha-512': login('scram-sha-512', scramLogin, 'scram.password'),
      wrong: login('scram-sha-512', scramLogin, 'plain.password'),
    }
  }, 90_000)
  afterAll(async () => {
    await secured?.[Symbol.asyncDispose]()
  })

  async function copy(way: keyof typeof ways, prefix: string, ...words: string[]): Promise<void> {
    const [stderr, stdout] = [new Screen(), new Screen()]
    const ports = { clock: later, disk: systemDisk, makeId: randomUUID, pid: process.pid, stderr, stdout }
    const { error, out } = await runVerb(logCommand(ports), stdout, ['copy', ...words, ...ways[way], '--topic-prefix', prefix])
    printed.push(out, stderr.text, messageOf(error))
    if (error instanceof Error) throw error
  }

  async function embedded(folder: NodeFolder): Promise<void> {
    await using log = await folder.openAlone()
    for (let index = 0; index < count; index += 1) for (const stream of streams) await log.append(stream, [draft(`${stream} ${index}`, 100)], { purpose: 'owed' })
  }

  async function textsIn(folder: string): Promise<Record<Stream, string[]>> {
    await using log = await StoppedLog.open({ clock: systemClock, disk: systemDisk, folder, holder: { pid: process.pid, verb: 'test' } })
    const texts = async (stream: Stream): Promise<string[]> => (await readAll(log, stream)).map(textOf)
    return { connections: await texts('connections'), control: await texts('control'), operations: await texts('operations') }
  }

  test.for(['certificate', 'oauthbearer', 'plain', 'scram-sha-256', 'scram-sha-512'] as const)('by %s: there and back, byte for byte', async (way) => {
    using folder = new NodeFolder()
    using there = new TemporaryFolder()
    const prefix = freshPrefix()
    await embedded(folder)
    const before = await textsIn(folder.path)
    await copy(way, prefix, '--from', folder.path)
    for (const stream of streams) {
      expect(before[stream]).toHaveLength(count)
      expect((await topicRecords([secured.byNobody], prefix, stream)).map(({ text }) => text)).toEqual(before[stream])
    }
    const back = join(there.path, 'back')
    await copy(way, prefix, '--to', back)
    expect(await textsIn(back)).toEqual(before)
  })

  test('that does not let it in: both ways say so and leave nothing behind', async () => {
    using folder = new NodeFolder()
    using there = new TemporaryFolder()
    const prefix = freshPrefix()
    await embedded(folder)
    const refused = { code: 'kafka_login_refused', message: expect.stringContaining(`"${scramLogin.user}"`) as string }
    await expect(copy('wrong', prefix, '--from', folder.path)).rejects.toMatchObject(refused)
    const back = join(there.path, 'back')
    await expect(copy('wrong', prefix, '--to', back)).rejects.toMatchObject(refused)
    expect([existsSync(back), existsSync(`${back}.unfinished`)]).toEqual([false, false])
    await copy('scram-sha-512', prefix, '--from', folder.path)
  })

  test('and no secret is in anything that was printed', () => {
    expect(printed.join('').length).toBeGreaterThan(1_000)
    for (const secret of [plainLogin.password, scramLogin.password, 'eyJ', 'PRIVATE']) expect(printed.filter((text) => text.includes(secret))).toEqual([])
  })
})
