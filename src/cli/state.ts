import type { Command } from 'commander'
import type { Configuration } from '../../projections/configuration.ts'
import { Fault } from '../core/errors.ts'
import { backendTable } from './backend-table.ts'
import { configurationsFromFiles, momentOf, type PastConfiguration } from './folder-configuration.ts'
import { isRevision, momentForm, momentText } from './moment.ts'
import { policyText } from './listener-policy.ts'
import { printing, type Output } from './output.ts'
import { printable } from '../core/printable.ts'
import { properties, table, type Cell } from './table.ts'
import { readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill state`: the whole configuration, now or as it was. Configuration only: no statistics, no health. */

interface StateOptions extends VerbOptions {
  readonly at?: string
  readonly revision?: string
}

export function stateCommand(ports: VerbPorts = systemPorts): Command {
  return verb('state', 'Show the configuration, now or at any moment of the past', [
    'waybill state --at 2026-11-24T08:00:00Z',
    'waybill state --at -2h --json | jq .configuration.pools[].name',
    'waybill state --revision 17',
  ])
    .option('--at <TIME>', `as it was then: ${momentForm}`)
    .option('--revision <NUMBER>', 'exactly this one; 0 is before the first change')
    .action(async (options: StateOptions) => {
      const past = await stateAt(ports, options, askedMoment(ports, options))
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(past)
        else await show(output, past)
      })
    })
}

/** RFC 3339 or a revision; null: now. */
function askedMoment({ clock }: VerbPorts, { at, revision }: StateOptions): string | null {
  if (at !== undefined && revision !== undefined) {
    throw new Fault('moment_invalid', 'settings', '--at and --revision may mean different moments; leave one of them out')
  }
  if (at !== undefined) return momentText(clock, '--at', at)
  if (revision === undefined) return null
  if (!isRevision(revision)) throw new Fault('revision_invalid', 'settings', `--revision: "${revision}" is no revision; write a whole number`)
  return revision
}

async function stateAt(ports: VerbPorts, options: StateOptions, moment: string | null): Promise<PastConfiguration> {
  const query = moment === null ? '' : isRevision(moment) ? `?revision=${moment}` : `?${new URLSearchParams({ at: moment }).toString()}`
  const answer = await readServer(options, `/api/state${query}`)
  if (answer !== null) return answer.body as PastConfiguration
  const [past] = await configurationsFromFiles(ports, options, 'state', [momentOf(moment)])
  return past!
}

async function show(output: Output, { configuration, moment }: PastConfiguration): Promise<void> {
  const { stream } = output
  const since = moment.time === null ? '' : `, in force since ${printable(moment.time)}`
  await output.text(`Revision ${moment.revision}${since}.`)
  if (configuration.pools.length === 0) await output.text('There is no pool.')
  for (const pool of configuration.pools) {
    await output.text('')
    await output.text(properties(stream, poolProperties(pool)))
    if (pool.backends.length > 0) await output.text(backendTable(stream, pool.backends, false))
  }
  await showListeners(output, configuration)
  await showDeclarations(output, configuration)
}

function poolProperties(pool: Configuration['pools'][number]): [string, Cell][] {
  return [
    ['pool', pool.name],
    ['algorithm', pool.algorithm],
    ...named('server names', pool.server_names.join(' ')),
    ...named('listen', pool.listen),
    ...named('default route', pool.default_route ? 'yes' : null),
    ...named('least TLS version', pool.min_tls_version),
    ...named('rejects ECH', pool.reject_ech ? 'yes' : null),
    ...named('allows plaintext', pool.allow_plaintext ? 'yes' : null),
    ...named('owner', pool.owner),
    ...named('business need', pool.business_need),
    ...named('declared in', pool.managed_by_file),
    ['revision', pool.revision],
  ]
}

/** A line only where there is something to say. */
function named(name: string, value: string | null): [string, Cell][] {
  return value === null || value === '' ? [] : [[name, value]]
}

/** Those of which something was set; what the others do follows from the pools. */
async function showListeners(output: Output, { listeners }: Configuration): Promise<void> {
  const rows = listeners
    .filter(({ set }) => set.length > 0)
    .map(({ listener, managed_by_file: file, policy, revision }) => [listener, policyText(policy), file, revision])
  if (rows.length === 0) return
  await output.text('')
  await output.text(table(output.stream, ['LISTENER', 'CLIENTS WITHOUT A ROUTE', 'DECLARED IN', 'REVISION'], rows))
}

async function showDeclarations(output: Output, { declarations }: Configuration): Promise<void> {
  if (declarations.length === 0) return
  await output.text('')
  const rows = declarations.map(({ applied_at: appliedAt, digest, file, revision }) => [file, appliedAt, revision, digest.slice(0, 16)])
  await output.text(table(output.stream, ['DECLARATION FILE', 'APPLIED', 'REVISION', 'DIGEST'], rows))
}
