import { parseArgs } from 'node:util'

/** What one run measures, how often and how much: the command line of `npm run bench`. */

export const measureNames = ['bulk', 'connections', 'handshake', 'idle', 'parser', 'replay', 'start'] as const
export type MeasureName = (typeof measureNames)[number]
export const targetNames = ['direct', 'haproxy', 'nginx', 'waybill'] as const
export type TargetName = (typeof targetNames)[number]

export interface Options {
  readonly quick: boolean
  readonly rounds: number
  readonly measures: readonly MeasureName[]
  readonly targets: readonly TargetName[]
  /** Bytes of one bulk transfer, each way. */
  readonly bulkBytes: number
  readonly connections: number
  readonly warmUpConnections: number
  /** Connections open at the same time in the connection measure. */
  readonly parallel: number
  readonly handshakes: number
  readonly idleConnections: number
  /** Between the last event and a look at memory. */
  readonly settleMs: number
  /** How long each cut of a hello is parsed. */
  readonly parseMs: number
  readonly replayRecords: number
  readonly startRecords: number
  /** Folder for temporary files; null: found by machine.ts. */
  readonly temporary: string | null
  /** Folder for the raw JSON; null: the system's temporary folder. */
  readonly out: string | null
  /** Write the table to bench/README.md: only a whole run, unless asked for. */
  readonly writeReadme: boolean
}

export const usage = `npm run bench -- [options]
  --quick              a small version of everything, one round (about a minute)
  --rounds N           rounds in turn (default 3; 1 with --quick)
  --only A,B           of ${measureNames.join(', ')}
  --targets A,B        of ${targetNames.join(', ')}
  --bulk-gib N         bytes of one bulk transfer (default 4; 1 with --quick)
  --connections N      connections of one round (default 20000; 5000 with --quick)
  --handshakes N       TLS handshakes of one round and target (default 1000; 300 with --quick)
  --idle N             idle connections (default 5000)
  --records N          records to replay (default 1000000; 200000 with --quick)
  --start-records N    records before a start with snapshots (default 1000000; 300000 with --quick)
  --tmp DIR            temporary files, on a real disk (default: the system's folder)
  --out DIR            raw JSON (default: the system's temporary folder)
  --readme             write bench/README.md even after a partial run
  --help`

/** Throws an Error with a sentence for the person who typed it. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      targets: { type: 'string' },
      'bulk-gib': { type: 'string' },
      connections: { type: 'string' },
      handshakes: { type: 'string' },
      idle: { type: 'string' },
      records: { type: 'string' },
      'start-records': { type: 'string' },
      tmp: { type: 'string' },
      out: { type: 'string' },
      readme: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const quick = values.quick
  const measures = chosen('--only', values.only, measureNames)
  const targets = chosen('--targets', values.targets, targetNames)
  const whole = !quick && measures.length === measureNames.length && targets.length === targetNames.length
  return {
    quick,
    rounds: count('--rounds', values.rounds, quick ? 1 : 3),
    measures,
    targets,
    bulkBytes: Math.round(positive('--bulk-gib', values['bulk-gib'], quick ? 1 : 4) * 65_536) * 16_384,
    connections: count('--connections', values.connections, quick ? 5_000 : 20_000),
    warmUpConnections: quick ? 2_000 : 5_000,
    parallel: 64,
    handshakes: count('--handshakes', values.handshakes, quick ? 300 : 1_000),
    idleConnections: count('--idle', values.idle, 5_000),
    settleMs: quick ? 2_000 : 4_000,
    parseMs: quick ? 500 : 3_000,
    replayRecords: count('--records', values.records, quick ? 200_000 : 1_000_000),
    startRecords: count('--start-records', values['start-records'], quick ? 300_000 : 1_000_000),
    temporary: values.tmp ?? null,
    out: values.out ?? null,
    writeReadme: whole || values.readme,
  }
}

function chosen<Name extends string>(flag: string, text: string | undefined, all: readonly Name[]): readonly Name[] {
  if (text === undefined) return all
  const asked = text.split(',').map((name) => name.trim())
  const unknown = asked.find((name) => !(all as readonly string[]).includes(name))
  if (unknown !== undefined) throw new Error(`${flag}: "${unknown}" is none of ${all.join(', ')}`)
  return all.filter((name) => asked.includes(name))
}

function positive(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${flag}: "${text}" is not a number above 0`)
  return value
}

function count(flag: string, text: string | undefined, otherwise: number): number {
  const value = positive(flag, text, otherwise)
  if (!Number.isInteger(value)) throw new Error(`${flag}: "${text}" is not a whole number`)
  return value
}
