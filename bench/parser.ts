import { Worker } from './children.ts'
import type { Measure, Metric } from './measure.ts'
import type { Parsed } from './workers/parser.ts'

/**
 * What reading a ClientHello costs, as a function in a fresh process, in CPU time: no socket, no log, and no proxy beside
 * it, since theirs can't be called alone. In single bytes, a hello 64 times as long has to cost the same per byte.
 */

const row = (key: string, label: string, digits = 0): Metric => ({ key: `parser.${key}`, label, digits, ratio: false })

/** Keys as the worker answers them. */
export const parser: Measure = {
  name: 'parser',
  metrics: [
    row('whole.rate', 'parser, typical hello whole, hellos/CPU s'),
    row('whole.mb', '… MB/CPU s'),
    row('ja4.rate', '… with JA4, as others said before, hellos/CPU s'),
    row('ja4.others.rate', '… with JA4, all different, hellos/CPU s'),
    row('records.rate', '… in records of 64 bytes, hellos/CPU s'),
    row('records.mb', '… MB/CPU s'),
    row('bytes.rate', '… in single bytes, hellos/CPU s'),
    row('bytes.mb', '… MB/CPU s', 1),
    row('long.whole.rate', 'parser, 64 KiB hello whole, hellos/CPU s'),
    row('long.whole.mb', '… MB/CPU s'),
    ...[1, 4, 16, 64].map((kib) => row(`bytes.${kib}`, `parser, ${kib} KiB in single bytes, CPU ns/byte`, 1)),
  ],
  run: async (bench) => {
    if (!bench.options.targets.includes('waybill')) return
    await bench.attempt('waybill', async () => {
      await using worker = new Worker('parser.ts')
      const hello = bench.hello.toString('base64')
      const parsed = await worker.ask<Parsed>('parse', { hello, milliseconds: bench.options.parseMs })
      for (const [key, value] of Object.entries(parsed)) bench.record('waybill', `parser.${key}`, value)
    })
  },
}
