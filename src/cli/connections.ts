import { Command, InvalidArgumentError, Option } from 'commander'
import type { ConnectionView } from '../api/schemas-connections.ts'
import { formatEndpoint } from '../core/endpoint.ts'
import { printing } from './output.ts'
import { bytesText, properties, table, type Cell } from './table.ts'
import { callServer, encoded, noServer, readPages, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill connections`: list, show and end what is open on a node now. What was open before is on record: `waybill events`. */

export function connectionsCommand(ports: VerbPorts = systemPorts): Command {
  return new Command('connections')
    .description('List, show and end the connections that are open now')
    .addHelpText('after', '\nExample:\n  waybill connections list --pool payments')
    .addCommand(listCommand(ports))
    .addCommand(showCommand(ports))
    .addCommand(endCommand(ports))
}

interface ListOptions extends VerbOptions {
  readonly backend?: string
  readonly client?: string
  readonly encrypted?: string
  readonly ja4?: string
  readonly limit?: number
  readonly listener?: string
  readonly pool?: string
  readonly serverName?: string
}

function listCommand(ports: VerbPorts): Command {
  return verb('list', 'List the connections that are open on this node, oldest first', [
    'waybill connections list --backend 10.0.4.11:8443',
    'waybill connections list --json | jq -r .client.ip | sort | uniq -c',
  ])
    .option('--pool <POOL>', 'only of this pool')
    .option('--backend <BACKEND>', 'only to this backend, host:port')
    .option('--client <IP>', 'only from this address')
    .option('--server-name <NAME>', 'only with this server name')
    .option('--listener <NAME>', 'only by this listener: shared, or pools/NAME')
    .option('--ja4 <FINGERPRINT>', 'only of clients that look like this')
    .addOption(new Option('--encrypted <WHETHER>', 'only those of which it is so; null: not known').choices(['true', 'false', 'null']))
    .option('--limit <NUMBER>', 'the first so many', parseCount)
    .action(async (options: ListOptions) => {
      const filter = filterOf(options)
      const listed = await readPages<ConnectionView>(options, '/api/connections', filter, 'connections', options.limit)
      if (listed === null) throw noServer(options, 'say what is open')
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) for (const connection of listed) await output.object(connection)
        else if (listed.length === 0) await output.text(`No ${Object.keys(filter).length === 0 ? '' : 'such '}connection is open on this node.`)
        else await output.text(table(ports.stdout, listHead, listed.map(listRow)))
      })
    })
}

function filterOf({ backend, client, encrypted, ja4, listener, pool, serverName }: ListOptions): Record<string, string> {
  return {
    ...(backend === undefined ? {} : { backend }),
    ...(client === undefined ? {} : { client }),
    ...(encrypted === undefined ? {} : { encrypted }),
    ...(ja4 === undefined ? {} : { ja4 }),
    ...(listener === undefined ? {} : { listener }),
    ...(pool === undefined ? {} : { pool }),
    ...(serverName === undefined ? {} : { server_name: serverName }),
  }
}

const listHead = ['CONNECTION', 'OPENED', 'CLIENT', 'SERVER NAME', 'TLS', 'POOL', 'BACKEND', 'TO BACKEND', 'TO CLIENT']

function listRow(connection: ConnectionView): Cell[] {
  return [
    connection.id,
    connection.opened_at,
    connection.client && formatEndpoint(connection.client),
    connection.server_name,
    encryptedText(connection),
    connection.pool,
    connection.backend,
    bytesText(connection.bytes_to_backend),
    bytesText(connection.bytes_to_client),
  ]
}

/** The version that was negotiated; a dash: not seen yet. */
function encryptedText({ encrypted, tls }: ConnectionView): Cell {
  return encrypted === false ? { text: 'plaintext', tone: 'warn' } : tls?.version
}

function showCommand(ports: VerbPorts): Command {
  return verb('show <CONNECTION>', 'Show one open connection', ['waybill connections show 0199e3c1-7a52-7000-8000-000000000001'])
    .action(async (id: string, options: VerbOptions) => {
      const { body } = await callServer(options, 'say what is open', 'GET', `/api/connections/${encoded(id)}`)
      const connection = body as ConnectionView
      await printing(ports.stdout, options.json, async (output) => {
        if (output.json) await output.object(connection)
        else await output.text(properties(ports.stdout, propertiesOf(connection)))
      })
    })
}

function propertiesOf(connection: ConnectionView): [string, Cell][] {
  return [
    ['connection', connection.id],
    ['opened', connection.opened_at],
    ['client', connection.client && formatEndpoint(connection.client)],
    ['listener', connection.listener],
    ['server name', connection.server_name],
    ['routed by', connection.routed_by],
    ...tlsProperties(connection),
    ['pool', connection.pool],
    ['backend', connection.backend],
    ['backend address', formatEndpoint(connection.backend_address)],
    ['local address', connection.local_address && formatEndpoint(connection.local_address)],
    ['revision', connection.revision],
    ['bytes to backend', bytesText(connection.bytes_to_backend)],
    ['bytes to client', bytesText(connection.bytes_to_client)],
  ]
}

function tlsProperties(connection: ConnectionView): [string, Cell][] {
  const { encrypted, tls } = connection
  return [
    ['encrypted', encrypted === null ? 'not known' : encrypted ? 'yes' : { text: 'no', tone: 'warn' }],
    ['offers ALPN', connection.alpn.join(' ')],
    ['offers TLS', connection.tls_versions.join(' ')],
    ['offers ECH', connection.ech_offered ? 'yes' : 'no'],
    ['JA4', connection.ja4],
    ['negotiated', tls && [tls.version, tls.cipher, tls.group].filter((fact) => fact !== null).join(' ')],
    ['handshake', tls && handshakeText(tls)],
    ['alerts', tls && tls.alerts.map(({ by, name }) => `${name} (${by})`).join(' ')],
  ]
}

/** `inferred_complete, resumed, after a hello retry request` */
function handshakeText({ handshake, hello_retry_request: retried, resumed }: NonNullable<ConnectionView['tls']>): string {
  return [handshake, ...(resumed ? ['resumed'] : []), ...(retried ? ['after a hello retry request'] : [])].join(', ')
}

function endCommand(ports: VerbPorts): Command {
  return verb('end <CONNECTION>', 'End one connection with a reset to both sides; its closing record names who asked', [
    'waybill connections end 0199e3c1-7a52-7000-8000-000000000001',
  ]).action(async (id: string, options: VerbOptions) => {
    await callServer(options, 'end a connection', 'DELETE', `/api/connections/${encoded(id)}`)
    await printing(ports.stdout, options.json, async (output) => {
      if (output.json) await output.object({ ended: `connections/${id}` })
      else await output.text(`Connection ${id} is ended.`)
    })
  })
}

function parseCount(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number from 1 up.')
}
