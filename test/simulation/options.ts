import { readSettings, type Settings } from '../../src/config/settings.ts'
import { nodeIp } from './network.ts'
import { clientMoods, backendMoods, type BackendMood, type ClientMood } from './peers.ts'
import { SeededRandom } from './seeded-random.ts'

/** Everything about one simulated world that is drawn before it begins: printed, so that a failing seed explains itself. */

export const diskTroubles = ['errors', 'full', 'short_writes', 'slow', 'stalled', 'sync_fails'] as const
export type DiskTrouble = (typeof diskTroubles)[number]

export interface TroubleWindow {
  readonly trouble: DiskTrouble
  readonly fromMs: number
  readonly untilMs: number
  /** Of each call that it may befall. */
  readonly probability: number
}

export interface CrashPlan {
  /** Calls of that process life before it dies. */
  readonly atCall: number
  readonly power: 'kept' | 'lost'
}

export interface Options {
  readonly seed: number
  readonly safetyMs: number
  readonly clients: number
  readonly commands: number
  /** Open connections that the operator ends. */
  readonly endings: number
  /** How much of the clients comes at one moment. */
  readonly burst: number
  readonly clientMoods: readonly ClientMood[]
  readonly backendMoods: readonly BackendMood[]
  /** How often a backend's port is closed or dead, at any moment. */
  readonly backendTrouble: number
  readonly latencyMs: number
  readonly windowBytes: number
  readonly diskLatencyMs: number
  readonly diskTroubles: readonly TroubleWindow[]
  /** Syncs say yes and do nothing: never drawn, only to see that somebody notices. */
  readonly diskLies: boolean
  readonly crashes: readonly CrashPlan[]
  readonly orderlyRestarts: number
  readonly clockSteps: number
  readonly settings: {
    readonly appendTimeoutMs: number
    readonly connectionsMax: number
    readonly dialTimeoutMs: number
    readonly drainTimeoutMs: number
    readonly halfCloseTimeoutMs: number
    readonly idleTimeoutMs: number
    readonly peekTimeoutMs: number
    readonly peeksMax: number
    readonly progressIntervalMs: number
    readonly addressCacheMs: number
    readonly reserveBytes: number
  }
}

export function drawOptions(seed: number): Options {
  const random = new SeededRandom(seed, 'options')
  const safetyMs = random.pick([1_000, 2_000, 5_000, 10_000])
  return {
    seed,
    safetyMs,
    clients: random.pick([0, 3, 8, 15, 30]),
    commands: random.integer(1, 14),
    endings: random.pick([0, 0, 2, 6]),
    burst: random.pick([1, 1, 1, 5, 20]),
    clientMoods: some(random, clientMoods),
    backendMoods: some(random, backendMoods),
    backendTrouble: random.pick([0, 0.1, 0.4]),
    latencyMs: random.pick([0, 1, 5, 50]),
    windowBytes: random.pick([200, 4_096, 65_536]),
    diskLatencyMs: random.pick([0, 0, 1, 10]),
    diskLies: false,
    diskTroubles: random.chance(0.7) ? troubleWindows(random, safetyMs) : [],
    crashes: random.chance(0.5) ? crashPlans(random) : [],
    orderlyRestarts: random.pick([0, 0, 0, 1]),
    clockSteps: random.pick([0, 0, 1, 3]),
    settings: {
      addressCacheMs: random.pick([0, 500, 10_000]),
      appendTimeoutMs: random.pick([50, 500, 5_000]),
      connectionsMax: random.pick([5, 1_000]),
      dialTimeoutMs: random.pick([300, 2_000]),
      drainTimeoutMs: random.pick([0, 1_000, 3_000]),
      halfCloseTimeoutMs: random.pick([500, 2_000]),
      idleTimeoutMs: random.pick([1_500, 4_000]),
      peekTimeoutMs: random.pick([300, 2_000]),
      peeksMax: random.pick([3, 4_096]),
      progressIntervalMs: random.pick([1_000, 60_000]),
      reserveBytes: random.pick([4_096, 32_768]),
    },
  }
}

export const sharedListen = { ip: nodeIp, port: 443 }

/** The settings as read once, with what the world drew on top. */
const basicSettings = readSettings(
  { api: '127.0.0.1:4000', cluster: 'simulated', data: '/data', listen: `${nodeIp}:443`, node: 'node-1', spaceLowBytes: '4096' }, {},
)

export function settingsOf({ settings }: Options): Settings {
  return { ...basicSettings, ...settings }
}

function some<Item>(random: SeededRandom, items: readonly Item[]): Item[] {
  const drawn = items.filter(() => random.chance(0.5))
  return drawn.length > 0 ? drawn : [random.pick(items)]
}

function troubleWindows(random: SeededRandom, safetyMs: number): TroubleWindow[] {
  return Array.from({ length: random.integer(1, 4) }, () => {
    const fromMs = random.integer(0, safetyMs - 1)
    return {
      trouble: random.pick(diskTroubles),
      fromMs,
      untilMs: fromMs + random.pick([20, 500, 4_000, 12_000]),
      probability: random.pick([0.05, 0.5, 1]),
    }
  })
}

function crashPlans(random: SeededRandom): CrashPlan[] {
  return Array.from({ length: random.integer(1, 3) }, () => ({
    atCall: random.pick([random.integer(1, 150), random.integer(1, 4_000)]),
    power: random.pick(['kept', 'lost'] as const),
  }))
}
