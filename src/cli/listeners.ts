import { Command, InvalidArgumentError, Option } from 'commander'
import { listenerCases, type ListenerAnswer, type ListenerCase } from '../../events/values.ts'
import type { ListenerDocument } from '../../projections/configuration.ts'
import { ownPoolOf, sharedListener } from '../../projections/listeners.ts'
import type { ListenerView } from '../api/schemas-listeners.ts'
import { Fault } from '../core/errors.ts'
import { listenerFromFiles, listenersFromFiles } from './folder-configuration.ts'
import { policyLines, policyText } from './listener-policy.ts'
import { printing } from './output.ts'
import { properties, table, type Cell } from './table.ts'
import { encoded, readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'
import { withChange, write, type WriteOptions } from './write.ts'

/** `waybill listeners`: where clients come in, and what becomes of those whose hello leads to no pool: list, show, change. */

/** As the API shows it, or as the files have it: then nobody is bound anywhere. */
export type ShownListener = ListenerDocument & Partial<Pick<ListenerView, 'address' | 'code' | 'state'>>

export function listenersCommand(ports: VerbPorts = systemPorts): Command {
  return new Command('listeners')
    .description('List and show listeners, and say what they do with clients whose hello leads to no pool')
    .addHelpText('after', '\nExample:\n  waybill listeners change shared --no-sni pool:legacy')
    .addCommand(listCommand(ports))
    .addCommand(showCommand(ports))
    .addCommand(changeCommand(ports))
}

function listCommand(ports: VerbPorts): Command {
  return verb('list', 'List the listeners', ['waybill listeners list', 'waybill listeners list --json | jq -r .address'])
    .action(async (options: VerbOptions) => {
      const answer = await readServer(options, '/api/listeners')
      const listeners = answer === null ? await listenersFromFiles(ports, options) : (answer.body as { readonly listeners: ShownListener[] }).listeners
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const listener of listeners) await output.object(listener)
        else await output.text(table(ports.stdout, listHead, listeners.map(listRow)))
      })
    })
}

const listHead = ['LISTENER', 'ADDRESS', 'STATE', 'CLIENTS WITHOUT A ROUTE', 'REVISION']

function listRow(listener: ShownListener): Cell[] {
  return [listener.listener, listener.address, stateCell(listener), policyText(listener.policy), listener.revision]
}

function stateCell({ code, state }: ShownListener): Cell {
  if (state === undefined) return null
  if (state === 'failed') return { text: code ? `failed (${code})` : 'failed', tone: 'bad' }
  return { text: state, tone: state === 'bound' ? 'good' : 'plain' }
}

function showCommand(ports: VerbPorts): Command {
  return verb('show <LISTENER>', 'Show a listener, and what it does in each case', ['waybill listeners show shared', 'waybill listeners show pools/payments'])
    .action(async (name: string, options: VerbOptions) => {
      const answer = await readServer(options, pathOf(name))
      const listener = answer === null ? await listenerFromFiles(ports, options, name) : (answer.body as ShownListener)
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(listener)
        else await output.text(properties(ports.stdout, propertiesOf(listener)))
      })
    })
}

function propertiesOf(listener: ShownListener): [string, Cell][] {
  return [
    ['listener', listener.listener],
    ['address', listener.address],
    ['state', stateCell(listener)],
    ['managed by', listener.managed_by_file ?? listener.managed_by],
    ['revision', listener.revision],
    ...policyLines(listener),
  ]
}

/** `shared`, or `pools/<name>`. */
function pathOf(listener: string): string {
  const pool = ownPoolOf(listener)
  if (pool !== null && listener !== `pools/${pool}`) {
    throw new Fault('listener_unknown', 'settings', `"${listener}" is no listener; write shared, or pools/NAME for that of a pool`)
  }
  return `/api/listeners/${pool === null ? sharedListener : `pools/${encoded(pool)}`}`
}

function changeCommand(ports: VerbPorts): Command {
  const command = verb('change <LISTENER>', 'Say what a listener does with clients whose hello leads to no pool; what is not named stays', [
    'waybill listeners change shared --no-sni pool:legacy --ticket CHG-4213',
    'waybill listeners change shared --unknown-sni refuse --not-tls default --dry-run',
    'waybill listeners change pools/payments --timeout pool:payments --if-match 17',
  ])
  for (const what of listenerCases) command.addOption(caseOption(what))
  return withChange(command).action(async (name: string, options: ChangeOptions) => {
    await write(ports, options, {
      method: 'PATCH',
      path: pathOf(name),
      body: bodyOf(options),
      purpose: 'change a listener',
      done: ({ revision }) => `Listener ${name} is as asked; its revision is ${String(revision)}.`,
    })
  })
}

/** In the words of commander. Wrapped, since to it null means that nothing was given. */
type Answers = { readonly [Name in (typeof optionNames)[ListenerCase]]?: { readonly answer: ListenerAnswer } }
type ChangeOptions = Answers & WriteOptions

const optionNames = {
  malformed: 'malformed',
  no_sni: 'noSni',
  not_tls: 'notTls',
  sslv2: 'sslv2',
  timeout: 'timeout',
  too_large: 'tooLarge',
  unknown_sni: 'unknownSni',
} as const satisfies Record<ListenerCase, string>

/** Which clients these are. */
const clients: Readonly<Record<ListenerCase, string>> = {
  malformed: 'TLS that can not be read',
  no_sni: 'no server name',
  not_tls: 'no TLS; a pool needs --allow-plaintext',
  sslv2: 'a hello in the format of SSLv2',
  timeout: 'no complete hello in time',
  too_large: 'a hello over the limit',
  unknown_sni: 'a server name that no pool claims',
}

function caseOption(what: ListenerCase): Option {
  const option = new Option(`--${what.replaceAll('_', '-')} <ANSWER>`, `${clients[what]}: refuse, pool:NAME, or default`).argParser(parseAnswer)
  // To commander --no-sni would mean that --sni is off.
  option.negate = false
  return option
}

function parseAnswer(text: string): { readonly answer: ListenerAnswer } {
  if (text === 'refuse') return { answer: text }
  if (text === 'default') return { answer: null }
  const pool = /^pool:(.+)$/.exec(text)?.[1]
  if (pool === undefined) throw new InvalidArgumentError('Write refuse, pool:NAME, or default.')
  return { answer: { pool } }
}

/** Only what was given. */
function bodyOf(answers: Answers): Record<string, ListenerAnswer> {
  const given = listenerCases.flatMap((what) => {
    const option = answers[optionNames[what]]
    return option === undefined ? [] : [[what, option.answer] as const]
  })
  return Object.fromEntries(given)
}
