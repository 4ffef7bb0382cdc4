import { Command, InvalidArgumentError } from 'commander'
import { backendProperties, backendTable, type ShownBackend } from './backend-table.ts'
import { waitUntilDrained } from './drain-wait.ts'
import { parseDuration } from './duration.ts'
import { backendFromFiles, poolFromFiles } from './folder-configuration.ts'
import { printing } from './output.ts'
import { encoded, readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'
import { withChange, write, type WriteOptions } from './write.ts'

/** `waybill backends`: list, show, add, change, drain, resume, remove. */

export function backendsCommand(ports: VerbPorts = systemPorts): Command {
  return new Command('backends')
    .description('List, show, add, change, drain, resume and remove the backends of a pool')
    .addHelpText('after', '\nExample:\n  waybill backends drain payments 10.0.4.11:8443 --wait')
    .addCommand(listCommand(ports))
    .addCommand(showCommand(ports))
    .addCommand(addCommand(ports))
    .addCommand(changeCommand(ports))
    .addCommand(drainCommand(ports))
    .addCommand(resumeCommand(ports))
    .addCommand(removeCommand(ports))
}

function listCommand(ports: VerbPorts): Command {
  return verb('list <POOL>', 'List the backends of a pool', ['waybill backends list payments'])
    .action(async (pool: string, options: VerbOptions) => {
      const answer = await readServer(options, pathOf(pool))
      const backends = answer === null
        ? (await poolFromFiles(ports, options, pool)).backends
        : (answer.body as { readonly backends: readonly ShownBackend[] }).backends
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const backend of backends) await output.object(backend)
        else if (backends.length === 0) await output.text('No backends.')
        else await output.text(backendTable(ports.stdout, backends))
      })
    })
}

function showCommand(ports: VerbPorts): Command {
  return verb('show <POOL> <BACKEND>', 'Show one backend', ['waybill backends show payments 10.0.4.11:8443'])
    .action(async (pool: string, id: string, options: VerbOptions) => {
      const answer = await readServer(options, pathOf(pool, id))
      const backend = answer === null ? await backendFromFiles(ports, options, pool, id) : (answer.body as ShownBackend)
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(backend)
        else await output.text(backendProperties(ports.stdout, pool, backend))
      })
    })
}

function addCommand(ports: VerbPorts): Command {
  const command = verb('add <POOL> <URL>', 'Add a backend; it takes connections at once', [
    'waybill backends add payments https://10.0.4.13:8443 --weight 2 --ticket CHG-4213',
  ]).option('--weight <NUMBER>', 'its share against the others, 1 to 256', parseWeight)
  return withChange(command).action(async (pool: string, url: string, options: WriteOptions & { readonly weight?: number }) => {
    await write(ports, options, {
      method: 'POST',
      path: pathOf(pool),
      body: { url, ...(options.weight === undefined ? {} : { weight: options.weight }) },
      purpose: 'add a backend',
      done: ({ id }) => `Backend ${String(id)} is in pool ${pool}.`,
    })
  })
}

function changeCommand(ports: VerbPorts): Command {
  const command = verb('change <POOL> <BACKEND>', 'Change the weight of a backend', [
    'waybill backends change payments 10.0.4.11:8443 --weight 3',
  ]).requiredOption('--weight <NUMBER>', 'its share against the others, 1 to 256', parseWeight)
  return withChange(command).action(async (pool: string, id: string, options: WriteOptions & { readonly weight: number }) => {
    await write(ports, options, {
      method: 'PATCH',
      path: pathOf(pool, id),
      body: { weight: options.weight },
      purpose: 'change a backend',
      done: ({ weight }) => `Backend ${id} of pool ${pool} has weight ${String(weight)}.`,
    })
  })
}

interface DrainOptions extends WriteOptions {
  readonly force: boolean
  readonly timeout: number
  readonly wait: boolean
}

function drainCommand(ports: VerbPorts): Command {
  const command = verb('drain <POOL> <BACKEND>', 'Give a backend no new connections; open ones go on', [
    'waybill backends drain payments 10.0.4.11:8443 --wait --timeout 10m',
    'waybill backends drain payments 10.0.4.11:8443 --force --ticket CHG-4214',
  ])
    .option('--wait', 'end when no connection is open there on this node', false)
    .option('--timeout <TIME>', 'how long --wait waits', parseDuration, waitDefaultMs)
    .option('--force', 'end the open connections at once, on record', false)
  return withChange(command).action(async (pool: string, id: string, options: DrainOptions) => {
    const drained = await write(ports, options, {
      method: 'POST',
      path: `${pathOf(pool, id)}/drain`,
      body: options.force ? { force: true } : {},
      purpose: 'drain a backend',
      done: (body) => drainSentence(body as unknown as ShownBackend, pool, options),
    })
    if (drained && options.wait) await waitUntilDrained(ports, options, { backend: id, pool, timeoutMs: options.timeout })
  })
}

const waitDefaultMs = 300_000

function drainSentence({ current_connections: open = 0, id }: ShownBackend, pool: string, { force }: DrainOptions): string {
  const rest = force ? 'open ones are ended' : `${open} open ${open === 1 ? 'one goes' : 'ones go'} on`
  return `Backend ${id} of pool ${pool} takes no new connections; ${rest}.`
}

function resumeCommand(ports: VerbPorts): Command {
  const command = verb('resume <POOL> <BACKEND>', 'Give a draining backend new connections again', [
    'waybill backends resume payments 10.0.4.11:8443',
  ])
  return withChange(command).action(async (pool: string, id: string, options: WriteOptions) => {
    await write(ports, options, {
      method: 'POST',
      path: `${pathOf(pool, id)}/resume`,
      purpose: 'resume a backend',
      done: () => `Backend ${id} of pool ${pool} takes new connections.`,
    })
  })
}

function removeCommand(ports: VerbPorts): Command {
  const command = verb('remove <POOL> <BACKEND>', 'Remove a backend; open connections go on', [
    'waybill backends remove payments 10.0.4.11:8443 --ticket CHG-4215',
  ]).option('--force', 'end its open connections at once, on record', false)
  return withChange(command).action(async (pool: string, id: string, options: WriteOptions & { readonly force: boolean }) => {
    await write(ports, options, {
      method: 'DELETE',
      path: pathOf(pool, id),
      query: options.force ? { force: 'true' } : {},
      purpose: 'remove a backend',
      done: () => `Backend ${id} is removed from pool ${pool}.`,
      result: { removed: `backends/${pool}/${id}` },
    })
  })
}

function pathOf(pool: string, id?: string): string {
  const backends = `/api/pools/${encoded(pool)}/backends`
  return id === undefined ? backends : `${backends}/${encoded(id)}`
}

/** A number at all; which ones are allowed is the API's to say. */
function parseWeight(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number from 1 to 256.')
}
