import { ja4 } from '../../src/proxy/hello/ja4.ts'
import { HelloParser, helloBytesMaxDefault, helloRecordsMax, type HelloLimits } from '../../src/proxy/hello/parser.ts'
import { padded, putTogether, takeApart } from '../../test/differential/hello-edits.ts'
import { cut, payloadOf, records } from '../../test/support/tls-hellos.ts'
import { median } from '../statistics.ts'
import { answer } from './answers.ts'

/** Runs the hello parser over one hello in several cuts, each for a while, and throws when an answer is not that hello. */

/** Figures by what the rows of the report are called. */
export type Parsed = Readonly<Record<string, number>>

const limits: HelloLimits = { helloBytesMax: helloBytesMaxDefault, recordsMax: helloRecordsMax }
const extensionKeyShare = 0x0033
const lengthsKib = [1, 4, 16, 64] as const
const windows = 10
/** More than JA4 remembers. */
const strangers = 1_024

/** All as long as the first, each in its chunks. */
type Hellos = readonly (readonly Uint8Array[])[]

/** In CPU time. */
interface Cost {
  readonly hellosPerSecond: number
  readonly megabytesPerSecond: number
  readonly nanosecondsPerByte: number
}

answer({
  parse: ({ hello, milliseconds }: { hello: string; milliseconds: number }): Promise<Parsed> => {
    const message = payloadOf(Buffer.from(hello, 'base64'))
    const whole = records(message)
    const inRecords = records(message, [64])
    const long = records(withLength(message, 64))
    const run = (chunks: readonly Uint8Array[], withJa4 = false): Cost => costOf([chunks], withJa4, milliseconds)
    const others = Array.from({ length: strangers }, (_, index) => [records(withFirstSuite(message, 0x2000 + index))])

    const typical = run([whole])
    const typicalInRecords = run([inRecords])
    const typicalInBytes = run(cut(whole, [1]))
    const longWhole = run([long])
    const perByte = lengthsKib.map((kib) => {
      const { nanosecondsPerByte } = run(cut(records(withLength(message, kib)), [1]))
      return [`bytes.${kib}`, nanosecondsPerByte] as const
    })
    return Promise.resolve({
      'whole.rate': typical.hellosPerSecond,
      'whole.mb': typical.megabytesPerSecond,
      'ja4.rate': run([whole], true).hellosPerSecond,
      'ja4.others.rate': costOf(others, true, milliseconds).hellosPerSecond,
      'records.rate': typicalInRecords.hellosPerSecond,
      'records.mb': typicalInRecords.megabytesPerSecond,
      'bytes.rate': typicalInBytes.hellosPerSecond,
      'bytes.mb': typicalInBytes.megabytesPerSecond,
      'long.whole.rate': longWhole.hellosPerSecond,
      'long.whole.mb': longWhole.megabytesPerSecond,
      ...Object.fromEntries(perByte),
    })
  },
})

/** Without its key share, which alone is longer than 1 KiB in a hybrid group; padding fills it up. */
function withLength(message: Buffer, kib: number): Buffer {
  const { front, extensions } = takeApart(message)
  return padded(putTogether({ front, extensions: extensions.filter(({ type }) => type !== extensionKeyShare) }), kib * 1_024)
}

/** Another client, as far as JA4 goes. */
function withFirstSuite(message: Buffer, suite: number): Buffer {
  const sessionIdAt = 4 + 2 + 32
  const changed = Buffer.from(message)
  changed.writeUInt16BE(suite, sessionIdAt + 1 + message.readUInt8(sessionIdAt) + 2)
  return changed
}

/** Median of windows, after one that only warms up. Bytes are those on the wire. */
function costOf(hellos: Hellos, withJa4: boolean, milliseconds: number): Cost {
  const bytes = hellos[0]!.reduce((sum, chunk) => sum + chunk.length, 0)
  window(hellos, withJa4, milliseconds / windows)
  const rates = Array.from({ length: windows }, () => window(hellos, withJa4, milliseconds / windows))
  const hellosPerSecond = median(rates)
  const megabytesPerSecond = (hellosPerSecond * bytes) / 1e6
  return { hellosPerSecond, megabytesPerSecond, nanosecondsPerByte: 1_000 / megabytesPerSecond }
}

/** Hellos in a second of CPU: what else runs on the machine only makes a window shorter. */
function window(hellos: Hellos, withJa4: boolean, milliseconds: number): number {
  const endsAt = performance.now() + milliseconds
  const before = process.cpuUsage()
  let count = 0
  do {
    parseOnce(hellos[count % hellos.length]!, withJa4)
    count += 1
  } while (performance.now() < endsAt)
  const { user, system } = process.cpuUsage(before)
  return (count * 1e6) / (user + system)
}

function parseOnce(chunks: readonly Uint8Array[], withJa4: boolean): void {
  const parser = new HelloParser(limits)
  let verdict = parser.push(chunks[0]!)
  for (let index = 1; index < chunks.length; index += 1) verdict = parser.push(chunks[index]!)
  if (verdict.kind !== 'hello') throw new Error(`the hello was judged ${JSON.stringify(verdict)}`)
  if (withJa4 && ja4(verdict.hello).length !== 36) throw new Error('no JA4 came out')
}
