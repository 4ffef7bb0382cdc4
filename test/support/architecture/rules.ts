/** DESIGN.md, section 9, as data: who may import whom, and where globals and other people's code may stand. */

export interface Layer {
  /** Folder; the longest that fits a path is its layer. */
  readonly path: string
  /** Folders or files that it may import besides itself. */
  readonly sees: readonly string[]
}

const everybody = ['events', 'projections'] as const
const everything = ['events', 'projections', 'compliance', 'src', 'console', 'test', 'bench'] as const
/** The port of the log: what may be known of it outside of src/log. Adapters are chosen by src/cli alone. */
const logPort = ['src/log/cluster-log.ts', 'src/log/event-log.ts', 'src/log/drafts.ts', 'src/log/notes.ts'] as const

export const layers: readonly Layer[] = [
  { path: 'events', sees: [] },
  { path: 'projections', sees: ['events'] },
  { path: 'compliance', sees: ['events', 'projections'] },
  { path: 'src/core', sees: [...everybody] },
  { path: 'src/config', sees: [...everybody, 'src/core'] },
  { path: 'src/log', sees: [...everybody, 'src/core'] },
  { path: 'src/live', sees: [...everybody, 'src/core', ...logPort] },
  { path: 'src/integrity', sees: [...everybody, 'compliance', 'src/core', ...logPort, 'src/live'] },
  { path: 'src/commands', sees: [...everybody, 'src/core', ...logPort, 'src/live'] },
  { path: 'src/proxy', sees: [...everybody, 'src/core', ...logPort, 'src/live'] },
  { path: 'src/telemetry', sees: [...everybody, 'src/core', 'src/config'] },
  { path: 'src/api', sees: [...everybody, 'compliance', 'src/core', 'src/config', 'src/commands', 'src/live', ...logPort] },
  { path: 'src/console', sees: [] },
  { path: 'src/cli', sees: [...everybody, 'compliance', 'src'] },
  { path: 'src/main.ts', sees: ['src/cli'] },
  { path: 'test', sees: everything },
  { path: 'bench', sees: everything },
]

/** Where everything begins that is of any use. */
export const roots: readonly string[] = ['src/main.ts', 'test', 'bench']

/** One package or module of Node's, and who may import it. */
export interface Home {
  /** Package name, or a pattern of names where it ends in `*`; `node:` modules in full. */
  readonly module: string
  readonly homes: readonly string[]
  /** Named imports that are harmless, so that they may stand in these places as well. */
  readonly parts?: { readonly names: readonly string[]; readonly homes: readonly string[] }
  /** Named imports that only these places may have, of all that are at home. */
  readonly guarded?: { readonly names: RegExp; readonly homes: readonly string[] }
}

/** Rules of what ships; tests and benchmarks may use what they like. */
export const shipped: readonly string[] = ['events', 'projections', 'compliance', 'src']

/** Modules that are not named here are forbidden: each has one home. */
export const homes: readonly Home[] = [
  { module: 'commander', homes: ['src/cli', 'src/main.ts'] },
  { module: 'fastify', homes: ['src/api', 'src/console'] },
  { module: '@fastify/*', homes: ['src/api', 'src/console'] },
  { module: 'cli-progress', homes: ['src/cli'] },
  { module: 'cli-table3', homes: ['src/cli'] },
  { module: 'fastify-type-provider-zod', homes: ['src/api'] },
  { module: 'kafkajs', homes: ['src/log/kafka'] },
  { module: 'pino', homes: ['src/telemetry'] },
  { module: 'pino-pretty', homes: ['src/telemetry'] },
  { module: 'selfsigned', homes: ['src/cli/demo'] },
  { module: 'yaml', homes: ['src/config'] },
  { module: 'prom-client', homes: ['src/telemetry'] },
  { module: '@opentelemetry/*', homes: ['src/telemetry'] },
  // Where data enters. src/log knows only its types, to make drafts that fit their definition.
  { module: 'zod', homes: ['events', 'src/config', 'src/api', 'src/commands', 'compliance'], parts: { names: ['z'], homes: ['src/log/drafts.ts'] } },

  {
    module: 'node:crypto',
    homes: ['events/chain.ts', 'compliance', 'src/core/system', 'src/integrity', 'src/log'],
    guarded: { names: /^(?:random|getRandom|webcrypto|subtle)/, homes: ['src/core/system'] },
  },
  { module: 'node:dns', homes: ['src/core/system'] },
  { module: 'node:dns/promises', homes: ['src/core/system'] },
  { module: 'node:fs', homes: ['src/core/system'] },
  { module: 'node:fs/promises', homes: ['src/core/system'] },
  { module: 'node:sqlite', homes: ['src/core/system'] },
  {
    module: 'node:net',
    homes: ['src/core/system'],
    // Pure functions of a text.
    parts: { names: ['isIP', 'isIPv4', 'isIPv6'], homes: ['src/core', 'src/commands', 'src/proxy', 'src/config', 'src/cli'] },
  },
  { module: 'node:http', homes: ['src/api', 'src/cli'] },
  { module: 'node:https', homes: ['src/cli/demo'] },
  { module: 'node:tls', homes: ['src/cli/demo', 'src/core/system'] },
  { module: 'node:events', homes: ['src/api', 'src/cli', 'src/core/system'] },
  { module: 'node:os', homes: ['src/cli', 'src/core/system'] },
  { module: 'node:path', homes: ['src/cli', 'src/config', 'src/core/system', 'src/log/file'] },
  { module: 'node:stream', homes: ['src/api', 'src/cli', 'src/core/system', 'src/log/file'] },
  { module: 'node:tty', homes: ['src/core/system'] },
  { module: 'node:url', homes: ['src/cli', 'src/core/system'], parts: { names: ['domainToASCII', 'domainToUnicode'], homes: ['src/commands'] } },
  { module: 'node:util', homes: ['src/cli', 'src/log/kafka'] },
  { module: 'node:zlib', homes: ['src/live/snapshots', 'src/log/file', 'src/log/kafka'] },
  { module: 'node:diagnostics_channel', homes: ['src/core/channels.ts'] },
  { module: 'node:worker_threads', homes: ['src/cli', 'src/core/system'] },
]

export interface GlobalUse {
  readonly what: string
  /** Searched in code without comments and texts. */
  readonly pattern: RegExp
  readonly homes: readonly string[]
}

export const globals: readonly GlobalUse[] = [
  { what: 'process.env', pattern: /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*\[|\{[^{}]*\benv\b[^{}]*\}\s*=\s*process\b/g, homes: ['src/config'] },
  // rfc3339 makes a text of a given time: a pure function, the one place outside of src/core/system.
  // Date.parse is a function of its text alone.
  { what: 'Date', pattern: /(?<![.\w$])Date\b(?!\s*:)(?!\.parse\b)/g, homes: ['src/core/system', 'src/core/clock.ts'] },
  { what: 'a timer', pattern: /(?<![.\w$#])(?:setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|clearImmediate)\b/g, homes: ['src/core/system'] },
  { what: 'AbortSignal.timeout', pattern: /\bAbortSignal\s*\.\s*timeout\b/g, homes: ['src/core/system'] },
  { what: 'performance', pattern: /(?<![.\w$])performance\b(?!\s*:)/g, homes: ['src/core/system'] },
  { what: 'process.hrtime', pattern: /\bprocess\s*\.\s*(?:hrtime|uptime)\b/g, homes: ['src/core/system'] },
  { what: 'Temporal', pattern: /(?<![.\w$])Temporal\b/g, homes: ['src/core/system'] },
  { what: 'Math.random', pattern: /\bMath\s*\.\s*random\b|\{[^{}]*\brandom\b[^{}]*\}\s*=\s*Math\b/g, homes: ['src/core/system'] },
  { what: 'the global crypto', pattern: /(?<![.\w$])crypto\s*\./g, homes: ['src/core/system'] },
  { what: 'globalThis', pattern: /\bglobalThis\b/g, homes: [] },
  { what: 'require', pattern: /(?<![.\w$])(?:require|createRequire)\s*\(/g, homes: [] },
]

/** Longer than STYLE 23 allows, each with its reason. */
export const longFiles: Readonly<Record<string, string>> = {}
export const linesMax = 320
/** Specs are lists of cases, read one at a time. */
export const testLinesMax = 400
/** Fewer files than this mean that the check looked in the wrong place. */
export const filesMin = 100
