import type { Settings } from '../../config/settings.ts'
import { instantMs, rfc3339 } from '../../core/clock.ts'
import { ok, problem, unknown, warning, type Finding } from './finding.ts'

/** What this process is given by its machine: Node, descriptors, time. */

const nodeMajorTested = 26
/** As `engines` of the package says. */
const nodeLowest = [24, 21] as const

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < nodeLowest[0] || (major === nodeLowest[0] && minor < nodeLowest[1])) {
    return problem('node', `Node ${version} is older than ${nodeLowest.join('.')}, which this program needs.`, 'Run npm ci, which brings the right one, and start with npm start.')
  }
  if (major === nodeMajorTested) return ok('node', `Node ${version}.`)
  return warning('node', `Node ${version} works, but ${nodeMajorTested} is what is tested and fastest.`, 'Run npm ci without --omit=optional, which brings it.')
}

/** What a busy proxy gets through in seconds; fewer are a limit that somebody forgot. */
const connectionsExpected = 4_000

/** `allowed`: connections that the descriptor limit has room for. */
export function checkDescriptors(limit: number, allowed: number, { connectionsMax }: Pick<Settings, 'connectionsMax'>): Finding {
  const room = `${limit} descriptors are room for ${Math.max(0, allowed)} connections`
  const action = 'Raise the limit: LimitNOFILE= in the unit of systemd, --ulimit nofile= of the container, or ulimit -n.'
  if (allowed < 1) return problem('descriptors', `${room}: none at all.`, action)
  if (connectionsMax !== null && connectionsMax > allowed) {
    return problem('descriptors', `${room}, and connections_max asks for ${connectionsMax}.`, `${action} Or lower connections_max.`)
  }
  if (connectionsMax === null && allowed < connectionsExpected) return warning('descriptors', `${room}, which is little.`, action)
  return ok('descriptors', `${room}.`)
}

/** This program did not exist before the one, and will not be there at the other. */
const [earliestMs, latestMs] = [instantMs('2026-01-01T00:00:00Z')!, instantMs('2100-01-01T00:00:00Z')!]

/** `markers`: which of the files were found that time services keep while they run. */
export function checkClock(nowMs: number, markers: { readonly timesyncd: boolean; readonly chronyd: boolean; readonly ntpd: boolean }): Finding {
  const now = rfc3339(nowMs)
  if (nowMs < earliestMs || nowMs > latestMs) {
    return problem('clock', `The clock says ${now}, and every record would carry that.`, 'Set the clock, and have a time service keep it.')
  }
  if (markers.timesyncd) return ok('clock', `The clock says ${now}, and systemd-timesyncd has set it.`)
  const service = markers.chronyd ? 'chronyd' : markers.ntpd ? 'ntpd' : null
  if (service === null) {
    return unknown(
      'clock',
      `The clock says ${now}; no sign of a time service was found here, and in a container there never is one.`,
      'See to it that the host keeps its clock: records and their order across machines are only as good as that.',
    )
  }
  const asked = service === 'chronyd' ? 'chronyc tracking' : 'ntpq -p'
  return unknown('clock', `The clock says ${now}; ${service} runs, and only it knows how well it does.`, `Ask it: ${asked}.`)
}
