import { Command } from 'commander'
import type { NodesView, NodeSummary } from '../api/schemas-nodes.ts'
import { printing } from './output.ts'
import { table, type Cell } from './table.ts'
import { callServer, encoded, say, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'
import { changeFields, withReasons, type ReasonOptions } from './write.ts'

/** `waybill nodes`: who shares the log. `waybill node retire`: what to do when one of them never returns. */

export function nodesCommand(ports: VerbPorts = systemPorts): Command {
  return verb('nodes', 'List the nodes that share the log', ['waybill nodes', 'waybill nodes --json | jq -r .name'])
    .action(async (options: VerbOptions) => {
      const { body } = await callServer(options, 'say which nodes there are', 'GET', '/api/nodes')
      const { caught_up: caughtUp, nodes } = body as NodesView
      if (!caughtUp) say(ports, 'note: this node began a moment ago and has not heard all of the others yet')
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const node of nodes) await output.object(node)
        else await output.text(table(ports.stdout, head, nodes.map(row)))
      })
    })
}

const head = ['NAME', 'STATE', 'EPOCH', 'RUN', 'SINCE', 'SEEN', 'REVISION', 'OPEN', 'SKEW', 'VERSION']
/** Of an id, what tells it from others that were made about the same time. */
const idEnd = 8

function row(node: NodeSummary): Cell[] {
  return [
    node.self ? `${node.name} (this one)` : node.name,
    stateCell(node),
    node.epoch.slice(-idEnd),
    node.run.slice(-idEnd),
    node.started_at,
    node.self ? 'now' : node.seen_at,
    node.revision,
    node.current_connections,
    node.clock_skew_ms === null ? null : `${node.clock_skew_ms} ms`,
    node.version,
  ]
}

function stateCell({ stale, state }: NodeSummary): Cell {
  if (stale) return { text: 'silent', tone: 'bad' }
  return { text: state, tone: state === 'running' ? 'good' : state === 'lost' ? 'warn' : 'plain' }
}

export function nodeCommand(ports: VerbPorts = systemPorts): Command {
  return new Command('node')
    .description('Retire a node that never returns')
    .addHelpText('after', "\nExample:\n  waybill node retire proxy-3 --reason 'the machine burnt'")
    .addCommand(retireCommand(ports))
}

interface RetireOptions extends ReasonOptions, VerbOptions {
  readonly dryRun: boolean
}

function retireCommand(ports: VerbPorts): Command {
  const command = verb('retire <NODE>', 'Close on record what a node left open that never returns; refused while it is heard', [
    "waybill node retire proxy-3 --reason 'the machine burnt' --ticket CHG-4290",
    'waybill node retire proxy-3 --dry-run',
  ])
  return withReasons(command)
    .option('--dry-run', 'say how many connections it would close on record; record nothing', false)
    .action(async (name: string, options: RetireOptions) => {
      const query = options.dryRun ? '?dry_run=true' : ''
      const change = changeFields(options)
      const body = Object.keys(change).length === 0 ? {} : { change }
      const answer = await callServer(options, 'retire a node', 'POST', `/api/nodes/${encoded(name)}/retire${query}`, body)
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(answer.body as object)
        else await output.text(options.dryRun ? triedText(name, answer.body as Tried) : retiredText(name, answer.body as Retired))
      })
    })
}

interface Tried {
  readonly changes: boolean
  readonly open_connections: number
}
interface Retired {
  readonly connections_closed: number
  readonly repeated: boolean
}

function triedText(name: string, { changes, open_connections: open }: Tried): string {
  return changes ? `It would retire node ${name} and close ${counted(open)} on record.` : 'Nothing would change.'
}

function retiredText(name: string, { connections_closed: closed, repeated }: Retired): string {
  return repeated ? `Node ${name} was retired before; nothing was open.` : `Node ${name} is retired; ${counted(closed)} closed on record.`
}

function counted(connections: number): string {
  return `${connections} ${connections === 1 ? 'connection' : 'connections'}`
}
