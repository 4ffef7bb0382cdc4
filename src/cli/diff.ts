import type { Command } from 'commander'
import { differencesBetween, type Difference } from '../../projections/configuration.ts'
import { differenceLine } from './differences.ts'
import { configurationsFromFiles, momentOf, type PastConfiguration } from './folder-configuration.ts'
import { revisionOrMoment } from './moment.ts'
import { printing } from './output.ts'
import { printable } from '../core/printable.ts'
import { readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill diff`: what is different between two moments. */

interface DiffOptions extends VerbOptions {
  readonly from: string
  readonly to?: string
}

export interface Comparison {
  readonly from: PastConfiguration['moment']
  readonly to: PastConfiguration['moment']
  readonly differences: readonly Difference[]
}

export function diffCommand(ports: VerbPorts = systemPorts): Command {
  return verb('diff', 'Show what is different between two moments', [
    'waybill diff --from -24h',
    'waybill diff --from 17 --to 18',
    'waybill diff --from 2026-11-24T08:00:00Z --to 2026-11-24T09:00:00Z --json | jq .subject',
  ])
    .requiredOption('--from <MOMENT>', 'a revision, RFC 3339, or -15m for a quarter of an hour ago')
    .option('--to <MOMENT>', 'likewise; now when left out')
    .action(async (options: DiffOptions) => {
      const compared = await compare(ports, options)
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const difference of compared.differences) await output.object(difference)
        else {
          await output.text(`From ${momentSentence(compared.from)} to ${momentSentence(compared.to)}:`)
          for (const difference of compared.differences) await output.text(differenceLine(difference))
          if (compared.differences.length === 0) await output.text('Nothing is different.')
        }
      })
    })
}

async function compare(ports: VerbPorts, options: DiffOptions): Promise<Comparison> {
  const from = revisionOrMoment(ports.clock, '--from', options.from)
  const to = options.to === undefined ? null : revisionOrMoment(ports.clock, '--to', options.to)
  const query = new URLSearchParams({ from, ...(to === null ? {} : { to }) })
  const answer = await readServer(options, `/api/diff?${query.toString()}`)
  if (answer !== null) return answer.body as Comparison
  const [before, after] = await configurationsFromFiles(ports, options, 'diff', [momentOf(from), momentOf(to)])
  return { from: before!.moment, to: after!.moment, differences: differencesBetween(before!.configuration, after!.configuration) }
}

function momentSentence({ revision, time }: PastConfiguration['moment']): string {
  return `revision ${revision}${time === null ? '' : ` (${printable(time)})`}`
}
