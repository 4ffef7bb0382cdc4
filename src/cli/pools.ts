import { Command, InvalidArgumentError, Option } from 'commander'
import type { PoolSummary } from '../api/schemas.ts'
import type { PoolDocument } from '../../projections/configuration.ts'
import { backendTable, type ShownBackend } from './backend-table.ts'
import { durationText } from './duration.ts'
import { poolFromFiles, poolsFromFiles } from './folder-configuration.ts'
import { printing } from './output.ts'
import { bodyOfPool, withPoolFields, type PoolFields } from './pool-fields.ts'
import { bytesText, properties, table, type Cell } from './table.ts'
import { encoded, readPages, readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'
import { withChange, write, type WriteOptions } from './write.ts'

/** `waybill pools`: list, show, create, change, remove. */

/** As the API shows it, or as the files have it: then there are neither statistics nor health. */
export interface ShownPool extends Omit<PoolDocument, 'backends'> {
  /** Not in a list of the API, which has them counted in `stats`. */
  readonly backends?: readonly ShownBackend[]
  readonly stats?: PoolSummary['stats']
}

export function poolsCommand(ports: VerbPorts = systemPorts): Command {
  return new Command('pools')
    .description('List, show, create, change and remove pools')
    .addHelpText('after', '\nExample:\n  waybill pools create payments --server-name pay.example.com --backend https://10.0.4.11:8443')
    .addCommand(listCommand(ports))
    .addCommand(showCommand(ports))
    .addCommand(createCommand(ports))
    .addCommand(changeCommand(ports))
    .addCommand(removeCommand(ports))
}

function listCommand(ports: VerbPorts): Command {
  return verb('list', 'List the pools', ['waybill pools list', 'waybill pools list --json | jq -r .name'])
    .action(async (options: VerbOptions) => {
      const pools: readonly ShownPool[] =
        (await readPages<ShownPool>(options, '/api/pools', {}, 'pools')) ?? (await poolsFromFiles(ports, options))
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const pool of pools) await output.object(pool)
        else if (pools.length === 0) await output.text('There is no pool yet; make one with waybill pools create NAME.')
        else await output.text(table(ports.stdout, listHead, pools.map(listRow)))
      })
    })
}

const listHead = ['POOL', 'ALGORITHM', 'ROUTES', 'BACKENDS', 'NOT DOWN', 'OPEN', 'BYTES', 'OWNER', 'REVISION']

function listRow(pool: ShownPool): Cell[] {
  const { stats } = pool
  return [
    pool.name,
    pool.algorithm,
    routesText(pool),
    stats?.total_backends ?? pool.backends?.length,
    stats?.healthy_backends,
    stats?.current_connections,
    stats && bytesText(stats.total_bytes_transferred),
    pool.owner,
    pool.revision,
  ]
}

function showCommand(ports: VerbPorts): Command {
  return verb('show <POOL>', 'Show a pool with its backends', ['waybill pools show payments'])
    .action(async (name: string, options: VerbOptions) => {
      const answer = await readServer(options, `/api/pools/${encoded(name)}`)
      const pool: ShownPool = answer === null ? await poolFromFiles(ports, options, name) : (answer.body as ShownPool)
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(pool)
        else {
          const { backends = [] } = pool
          await output.text(properties(ports.stdout, propertiesOf(pool)))
          await output.text(`\n${backends.length === 0 ? 'No backends.' : backendTable(ports.stdout, backends)}`)
        }
      })
    })
}

function propertiesOf(pool: ShownPool): [string, Cell][] {
  const { stats } = pool
  return [
    ['pool', pool.name],
    ['algorithm', pool.algorithm],
    ['routes', routesText(pool)],
    ['health check interval', durationText(pool.health_check_interval)],
    ['drain timeout', typeof pool.drain_timeout === 'number' ? durationText(pool.drain_timeout) : 'none'],
    ['least TLS version', pool.min_tls_version ?? 'any'],
    ['rejects ECH', pool.reject_ech ? 'yes' : 'no'],
    ['allows plaintext', pool.allow_plaintext ? { text: 'yes', tone: 'warn' } : 'no'],
    ['owner', pool.owner],
    ['business need', pool.business_need],
    ['managed by', pool.managed_by_file ?? pool.managed_by],
    ['created', pool.created_at],
    ['revision', pool.revision],
    ...(stats === undefined ? [] : statisticsOf(stats)),
  ]
}

function statisticsOf(stats: PoolSummary['stats']): [string, Cell][] {
  return [
    ['open connections', stats.current_connections],
    ['bytes, both ways', bytesText(stats.total_bytes_transferred)],
  ]
}

function routesText({ default_route: isDefault, listen, server_names: names }: ShownPool): string {
  const routes = [...names, ...(listen === null ? [] : [listen]), ...(isDefault ? ['(default route)'] : [])]
  const shown = routes.slice(0, routesShownMax)
  return [...shown, ...(routes.length > shown.length ? [`and ${routes.length - shown.length} more`] : [])].join(' ')
}

/** `--json` shows all. */
const routesShownMax = 4

function createCommand(ports: VerbPorts): Command {
  const command = verb('create <POOL>', 'Create a pool, with its backends in the same record', [
    'waybill pools create payments --server-name pay.example.com \\',
    '  --backend https://10.0.4.11:8443 --backend https://10.0.4.12:8443,weight=3 --ticket CHG-4211',
  ]).option('--backend <URL[,weight=N]>', 'a backend, https://host:port; may be repeated', collectBackend)
  return withChange(withPoolFields(command)).action(async (name: string, options: CreateOptions) => {
    await write(ports, options, {
      method: 'POST',
      path: '/api/pools',
      body: { name, ...bodyOfPool(options), ...(options.backend === undefined ? {} : { backends: options.backend }) },
      purpose: 'create a pool',
      done: ({ revision }) => `Pool ${name} is created, as revision ${String(revision)}.`,
    })
  })
}

type CreateOptions = PoolFields & WriteOptions & { readonly backend?: readonly InlineBackend[] }
interface InlineBackend {
  readonly url: string
  readonly weight?: number
}

function collectBackend(text: string, before: readonly InlineBackend[] | undefined): readonly InlineBackend[] {
  const match = /^(.*),weight=([0-9]{1,9})$/.exec(text)
  return [...(before ?? []), match === null ? { url: text } : { url: match[1]!, weight: Number(match[2]) }]
}

function changeCommand(ports: VerbPorts): Command {
  const command = verb('change <POOL>', 'Change settings of a pool; what is not named stays', [
    'waybill pools change payments --algorithm round_robin --if-match 17',
    'waybill pools change payments --unset owner --dry-run',
  ]).addOption(new Option('--unset <FIELD>', 'take a value away; may be repeated').choices([...unsettable]).argParser(collectUnset))
  return withChange(withPoolFields(command)).action(async (name: string, options: ChangeOptions) => {
    const unset = Object.fromEntries((options.unset ?? []).map((field) => [field, field === 'server_names' ? [] : null]))
    await write(ports, options, {
      method: 'PATCH',
      path: `/api/pools/${encoded(name)}`,
      body: { ...bodyOfPool(options), ...unset },
      purpose: 'change a pool',
      done: ({ revision }) => `Pool ${name} is as asked; its revision is ${String(revision)}.`,
    })
  })
}

const unsettable = ['business_need', 'drain_timeout', 'listen', 'min_tls_version', 'owner', 'server_names'] as const
type ChangeOptions = PoolFields & WriteOptions & { readonly unset?: readonly string[] }

function collectUnset(text: string, before: readonly string[] | undefined): readonly string[] {
  if (!(unsettable as readonly string[]).includes(text)) throw new InvalidArgumentError(`It may be ${unsettable.join(', ')}.`)
  return [...(before ?? []), text]
}

function removeCommand(ports: VerbPorts): Command {
  const command = verb('remove <POOL>', 'Remove a pool and its backends; open connections go on', [
    'waybill pools remove payments --dry-run',
    'waybill pools remove payments --ticket CHG-4212',
  ]).option('--force', 'end its open connections at once, on record', false)
  return withChange(command).action(async (name: string, options: WriteOptions & { readonly force: boolean }) => {
    await write(ports, options, {
      method: 'DELETE',
      path: `/api/pools/${encoded(name)}`,
      query: options.force ? { force: 'true' } : {},
      purpose: 'remove a pool',
      done: () => `Pool ${name} is removed.`,
      result: { removed: `pools/${name}` },
    })
  })
}
