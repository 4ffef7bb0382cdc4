import { Desk } from '../../src/commands/desk.ts'
import type { Clock } from '../../src/core/clock.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { rules } from '../commands/decide.ts'
import { readAll, textOf } from './drafts.ts'

/** Desks on a log in memory, each with its own fold: the nodes of a cluster as commands see them. */

export const appendTimeoutMs = 5_000

export interface DeskNode extends AsyncDisposable {
  readonly desk: Desk
  readonly live: Live
}

/** Another node's view of the same log. */
export async function nodeOn(log: MemoryLog, clock: Clock = systemClock, makeId = idMaker(clock, systemRandom)): Promise<DeskNode> {
  const live = new Live(log, () => {})
  await live.replay()
  live.follow()
  const desk = new Desk({ live, log, clock, makeId, rules, appendTimeoutMs })
  return { desk, live, [Symbol.asyncDispose]: () => live.stop() }
}

export function memory(clock: Clock = systemClock): MemoryLog {
  return new MemoryLog({ clock, makeId: idMaker(clock, systemRandom) })
}

/** The texts of all control records, void ones too. */
export async function controlTexts(log: MemoryLog): Promise<string[]> {
  return (await readAll(log, 'control')).map(textOf)
}
