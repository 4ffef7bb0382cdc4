import os from 'node:os'
import { bulk } from './bulk.ts'
import { connections } from './connections.ts'
import { handshake } from './handshake.ts'
import { captureHello } from './hello.ts'
import { idle } from './idle.ts'
import { folderOnDisk, loadAverage, machineFacts } from './machine.ts'
import type { Bench, Measure } from './measure.ts'
import { readOptions, usage, type Options } from './options.ts'
import { parser } from './parser.ts'
import { replay } from './replay.ts'
import { markdown, writeJson, writeReadme, type Failure, type Sample } from './report.ts'
import { start } from './start.ts'
import { direct, haproxy, nginx, type Target } from './targets.ts'
import { waybill } from './waybill.ts'

/**
 * `npm run bench`: Waybill side by side with HAProxy and nginx, in one run on one machine, in rounds that begin with
 * another proxy each. Exit 0: everything was measured and right; 1: something failed; 2: wrong options.
 */

const allMeasures: readonly Measure[] = [bulk, connections, handshake, idle, parser, replay, start]
const allTargets: readonly Target[] = [direct, haproxy, nginx, waybill]

async function main(args: readonly string[]): Promise<number> {
  let options: Options | 'help'
  try {
    options = readOptions(args)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${usage}\n`)
    return 2
  }
  if (options === 'help') {
    say(usage)
    return 0
  }
  if (process.platform !== 'linux') {
    process.stderr.write('the benchmark reads CPU time and memory from /proc: it runs on Linux only\n')
    return 1
  }
  return measure(options, args)
}

async function measure(options: Options, args: readonly string[]): Promise<number> {
  const startedAt = new Date()
  const loadBefore = loadAverage()
  const temporary = options.temporary ?? folderOnDisk()
  const { targets, skipped } = installed(options)
  const measures = allMeasures.filter(({ name }) => options.measures.includes(name))
  const samples: Sample[] = []
  const failures: Failure[] = []
  const hello = await captureHello()
  say(`hello of ${hello.length} bytes, ${options.rounds} round(s), temporary files in ${temporary}`)

  for (let round = 0; round < options.rounds; round += 1) {
    for (const each of measures) {
      const { name } = each
      say(`round ${round + 1}/${options.rounds} ${name}`)
      const failed = (target: Failure['target'], error: unknown): void => {
        failures.push({ round, target, measure: name, message: messageOf(error) })
        say(`  ${target} FAILED: ${messageOf(error)}`)
      }
      const bench: Bench = {
        options,
        hello,
        temporary,
        targets: rotated(targets, round),
        say,
        skip: (line) => {
          if (skipped.includes(line)) return
          skipped.push(line)
          say(`SKIPPED: ${line}`)
        },
        record: (target, key, value) => {
          samples.push({ round, target, key, value })
          say(`  ${target} ${key} ${value.toPrecision(4)}`)
        },
        attempt: (target, work) => work().catch((error: unknown) => failed(target, error)),
      }
      await each.run(bench).catch((error: unknown) => failed('all', error))
    }
  }

  const results = {
    facts: [...machineFacts(targets, temporary, startedAt, loadBefore), ['amounts', amounts(options)] as const],
    metrics: measures.flatMap(({ metrics }) => metrics),
    rounds: options.rounds,
    arguments: args,
    targets,
    skipped,
    samples,
    failures,
  }
  const text = markdown(results)
  say(`\n${text}\n`)
  say(`every sample: ${writeJson(results, options.out ?? os.tmpdir(), startedAt)}`)
  if (options.writeReadme) writeReadme(text)
  else say('bench/README.md is left as it is: only a whole run, or --readme, writes it')
  return failures.length === 0 ? 0 : 1
}

function installed(options: Options): { targets: Target[]; skipped: string[] } {
  const targets: Target[] = []
  const skipped: string[] = []
  for (const target of allTargets.filter(({ name }) => options.targets.includes(name))) {
    if (target.version() !== null) targets.push(target)
    else skipped.push(`${target.label} is not installed on this machine`)
  }
  for (const line of skipped) say(`SKIPPED: ${line}`)
  return { targets, skipped }
}

function amounts(options: Options): string {
  const { bulkBytes, connections: count, warmUpConnections, parallel, handshakes, idleConnections, replayRecords, startRecords } = options
  return (
    `${bulkBytes / 1024 ** 3} GiB each way, ${count} connections after ${warmUpConnections} (${parallel} at a time), ` +
    `${handshakes} handshakes, ${idleConnections} idle connections, ${replayRecords} records to replay, ${startRecords} before a start`
  )
}

function rotated(targets: readonly Target[], by: number): Target[] {
  return targets.map((_, index) => targets[(index + by) % targets.length]!)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exit(await main(process.argv.slice(2)))
