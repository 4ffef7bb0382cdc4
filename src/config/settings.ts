import type { z } from 'zod'
import { collides, formatEndpoint, isLoopback } from '../core/endpoint.ts'
import { Fault } from '../core/errors.ts'
import { kafkaConflicts, type WrittenSettings } from './kafka-conflicts.ts'
import { kafkaSettings } from './kafka-settings.ts'
import { choice, endpoint, integer, name, path, yesOrNo, type Setting } from './setting-types.ts'

/** Every setting that an operator may tune, in one table: flags, variables, help, checks and documents follow from it. */

const mebibyte = 1_048_576
const dayMs = 86_400_000

export const settingTable = {
  api: {
    schema: endpoint(), default: '127.0.0.1:4000', unit: null, form: 'ip:port',
    description: 'Where the REST API listens. Loopback only, until authentication exists.',
  },
  ops: {
    schema: endpoint(), default: null, unit: null, form: 'ip:port',
    description: 'Where probes and scrapers from outside may ask for /health/live, /health/ready and /metrics, and nothing else. Default: nowhere.',
  },
  listen: {
    schema: endpoint(), default: '[::]:8443', unit: null, form: 'ip:port',
    description: 'The shared listener, which routes clients by server name. [::] takes IPv4 as well.',
  },
  data: {
    schema: path(), default: './data', unit: null, form: 'DIR',
    description: 'The folder that holds the log. One process at a time may own it.',
  },
  config: {
    schema: path(), default: null, unit: null, form: 'FILE',
    description: 'Declaration file (YAML) with pools, backends and settings, applied at start and on SIGHUP.',
  },
  cluster: {
    schema: name(63), default: null, unit: null, form: 'NAME',
    description: 'Name of the cluster, in the source of every record. Default: what the data folder says, else "default".',
  },
  node: {
    schema: name(100), default: null, unit: null, form: 'NAME',
    description: 'Name of this node, in the source of every record. Default: what the data folder says, else the host name.',
  },
  autoDefaultRoute: {
    schema: yesOrNo(), default: 'true', unit: null, form: 'true|false',
    description: 'Whether a pool with neither server_names nor listen becomes the default route when there is none. Never one with allow_plaintext.',
  },
  connectionsMax: {
    schema: integer(1, 10_000_000), default: null, unit: 'connections', form: 'NUMBER',
    description: 'Client connections at once. Default: what the descriptor limit allows, with headroom.',
  },
  peeksMax: {
    schema: integer(1, 1_000_000), default: '4096', unit: 'connections', form: 'NUMBER',
    description: 'Clients at once whose hello is still being read; more are refused.',
  },
  helloBytesMax: {
    schema: integer(1_024, 1_048_576), default: '65536', unit: 'bytes', form: 'BYTES',
    description: 'The longest client hello that is read. A client that sends more is refused, unless its listener names a pool for too_large.',
  },
  peekTimeoutMs: {
    schema: integer(1, dayMs), default: '5000', unit: 'ms', form: 'MS',
    description: 'From accept to a complete hello. A client that takes longer is refused, unless its listener names a pool for timeout.',
  },
  tlsAlerts: {
    schema: yesOrNo(), default: 'true', unit: null, form: 'true|false',
    description:
      'Whether a client that is refused, or whose connection is ended before the backend has answered, gets the TLS alert ' +
      'that says why; and a PostgreSQL client that asks for TLS in the clear, an error in its own protocol.',
  },
  dialTimeoutMs: {
    schema: integer(1, dayMs), default: '5000', unit: 'ms', form: 'MS',
    description: 'How long one backend may take to accept a connection before another one is tried.',
  },
  appendTimeoutMs: {
    schema: integer(1, dayMs), default: '5000', unit: 'ms', form: 'MS',
    description: 'How long a record may take to be durable before the client or the change that waits for it is refused.',
  },
  idleTimeoutMs: {
    schema: integer(1, 7 * dayMs), default: '600000', unit: 'ms', form: 'MS',
    description: 'A connection without a byte in either direction for this long is closed.',
  },
  halfCloseTimeoutMs: {
    schema: integer(1, 7 * dayMs), default: '60000', unit: 'ms', form: 'MS',
    description: 'A connection of which one side has ended, without a byte for this long, is closed.',
  },
  drainTimeoutMs: {
    schema: integer(0, dayMs), default: '20000', unit: 'ms', form: 'MS',
    description: 'At shutdown, how long open connections may go on before they are ended.',
  },
  progressIntervalMs: {
    schema: integer(1_000, dayMs), default: '60000', unit: 'ms', form: 'MS',
    description: 'How often a long connection is put on record with its counts so far.',
  },
  addressCacheMs: {
    schema: integer(0, dayMs), default: '10000', unit: 'ms', form: 'MS',
    description: 'How long the addresses of a backend host are used before its name is resolved again.',
  },
  reserveBytes: {
    schema: integer(mebibyte, 1_024 * mebibyte), default: '16777216', unit: 'bytes', form: 'BYTES',
    description: 'Kept on disk for the closing records of open connections; freed when the disk is full.',
  },
  spaceLowBytes: {
    schema: integer(0, 1_048_576 * mebibyte), default: '268435456', unit: 'bytes', form: 'BYTES',
    description: 'Free space below which the log says that the disk is nearly full.',
  },
  ...kafkaSettings,
  log: {
    schema: choice(['json', 'pretty']), default: 'json', unit: null, form: 'json|pretty',
    description: 'How the program writes what it says about itself: one JSON object a line, or lines for people.',
  },
  logLevel: {
    schema: choice(['debug', 'info', 'warn', 'error']), default: 'info', unit: null, form: 'debug|info|warn|error',
    description: 'What the program says about itself on standard output. Audit records are not affected.',
  },
} as const satisfies Record<string, Setting>

type Table = typeof settingTable
export type SettingKey = keyof Table
export type Settings = {
  readonly [Key in SettingKey]: Table[Key]['default'] extends null
    ? z.output<Table[Key]['schema']> | null
    : z.output<Table[Key]['schema']>
}

export const settingKeys = Object.keys(settingTable) as SettingKey[]
const variablePrefix = 'WAYBILL_'
/** What Kubernetes sets in every container beside a service that is named waybill. */
const kubernetesServiceVariable = /^WAYBILL_(?:PORT|PORT_\d+_TCP.*|SERVICE_HOST|SERVICE_PORT.*)$/

/** `dial_timeout_ms`, the setting's name in documents and files. */
export function settingName(key: SettingKey): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
/** `--dial-timeout-ms`. */
export function settingFlag(key: SettingKey): string {
  return `--${settingName(key).replaceAll('_', '-')}`
}
/** `WAYBILL_DIAL_TIMEOUT_MS`. */
export function settingVariable(key: SettingKey): string {
  return variablePrefix + settingName(key).toUpperCase()
}

/** Every setting as a process runs by it, for its start record; those that were left open are left out. */
export function settingTexts(settings: Settings): readonly { readonly name: string; readonly value: string }[] {
  return settingKeys.toSorted().flatMap((key) => {
    const value = settings[key]
    if (value === null) return []
    return [{ name: settingName(key), value: textOfValue(value) }]
  })
}

function textOfValue(value: NonNullable<Settings[SettingKey]>): string {
  if (typeof value !== 'object') return String(value)
  return 'port' in value ? formatEndpoint(value) : value.join(',')
}

export type FlagTexts = { readonly [Key in SettingKey]?: string | undefined }
export type Environment = Readonly<Record<string, string | undefined>>

/** A setting as a declaration file has it. */
export interface DeclaredSetting {
  /** As in documents: `dial_timeout_ms`. */
  readonly name: string
  readonly value: string
  /** `file:line:column`. */
  readonly place: string
}

/**
 * Flags beat environment beat file beat default. Throws one `Fault` (`settings_invalid`) that names every problem: what
 * is wrong, where it was written, what to write instead. An empty variable counts as not set.
 */
export function readSettings(
  flags: FlagTexts,
  environment: Environment = process.env,
  declared: readonly DeclaredSetting[] = [],
): Settings {
  const problems = unknownNames(flags, environment)
  const settings: Record<string, unknown> = {}
  const places: Record<string, string> = {}
  const written = new Set<SettingKey>()
  for (const key of settingKeys) {
    const { byDefault, place, text } = textOf(key, flags, environment, declared)
    if (!byDefault) written.add(key)
    settings[key] = null
    places[key] = place
    if (text === null) continue
    const parsed = settingTable[key].schema.safeParse(text)
    if (parsed.success) settings[key] = parsed.data
    else problems.push(`${place}: ${parsed.error.issues[0]?.message ?? 'is not valid'}.`)
  }
  const given = { places: places as Record<SettingKey, string>, settings: settings as Settings, written }
  if (problems.length === 0) problems.push(...conflicts(given), ...kafkaConflicts(given))
  if (problems.length > 0) throw new Fault('settings_invalid', 'settings', problems.join('\n'))
  return settings as Settings
}

interface Written {
  readonly byDefault: boolean
  readonly place: string
  readonly text: string | null
}

function textOf(key: SettingKey, flags: FlagTexts, environment: Environment, declared: readonly DeclaredSetting[]): Written {
  const flag = flags[key]
  if (flag !== undefined) return { byDefault: false, place: settingFlag(key), text: flag }
  const variable = settingVariable(key)
  const value = environment[variable]
  if (value !== undefined && value !== '') return { byDefault: false, place: variable, text: value }
  const name = settingName(key)
  const inFile = declared.find((setting) => setting.name === name)
  if (inFile !== undefined) return { byDefault: false, place: `${inFile.place}: ${name}`, text: inFile.value }
  return { byDefault: true, place: name, text: settingTable[key].default }
}

/**
 * The data folder alone, for command lines that need nothing else: what a server is given besides by its own flags and
 * file can't contradict them. Throws as `readSettings` does for names and values that are none.
 */
export function readDataFolder(flags: Pick<FlagTexts, 'data'>, environment: Environment = process.env): string {
  const own = Object.fromEntries(Object.entries(environment).filter(([variable]) => !kafkaVariables.includes(variable)))
  return readSettings(flags, own).data
}
const kafkaVariables = (Object.keys(kafkaSettings) as SettingKey[]).map(settingVariable)

/** Whether something other than the default says what the setting is. */
export function isWritten(key: SettingKey, flags: FlagTexts, environment: Environment = process.env, declared: readonly DeclaredSetting[] = []): boolean {
  return !textOf(key, flags, environment, declared).byDefault
}

/** Which declaration file a flag or a variable names; null: none. */
export function configFileOf(flags: FlagTexts, environment: Environment = process.env): string | null {
  return textOf('config', flags, environment, []).text
}

function unknownNames(flags: FlagTexts, environment: Environment): string[] {
  const variables = settingKeys.map(settingVariable)
  const problems: string[] = []
  for (const flag of Object.keys(flags)) {
    if (!(settingKeys as string[]).includes(flag)) problems.push(`"${flag}" is not a setting; --help lists them.`)
  }
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith(variablePrefix) || variables.includes(variable)) continue
    if (kubernetesServiceVariable.test(variable)) continue
    const near = variables.find((known) => differsLittle(known, variable))
    problems.push(`${variable}: there is no such setting; ${near ? `did you mean ${near}?` : 'unset it (--help lists all).'}`)
  }
  return problems
}

/** Same letters but for underscores, or one contains the other: enough to catch WAYBILL_DIALTIMEOUT_MS and _DIAL_TIMEOUT. */
function differsLittle(known: string, written: string): boolean {
  const [one, other] = [known.replaceAll('_', ''), written.toUpperCase().replaceAll('_', '')]
  return one === other || (other.length > variablePrefix.length + 2 && (one.startsWith(other) || other.startsWith(one)))
}

function conflicts({ places, settings }: WrittenSettings): string[] {
  const problems: string[] = []
  if (!isLoopback(settings.api.ip)) {
    problems.push(
      `${places.api}: ${formatEndpoint(settings.api)} is not a loopback address. Until authentication exists the API binds ` +
        'loopback only, because whoever reaches it may change where traffic goes; use 127.0.0.1:PORT or [::1]:PORT ' +
        'and an SSH tunnel from elsewhere.',
    )
  }
  for (const [one, other] of [['listen', 'api'], ['ops', 'api'], ['ops', 'listen']] as const) {
    const [first, second] = [settings[one], settings[other]]
    if (first === null || second === null || !collides(first, second)) continue
    problems.push(
      `${places[one]}: ${formatEndpoint(first)} and ${places[other]}: ${formatEndpoint(second)} are on the same port; ` +
        'give one of them another port.',
    )
  }
  return problems
}
