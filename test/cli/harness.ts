import { CommanderError, type Command } from 'commander'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { serveOnSocket, socketName } from '../../src/api/socket.ts'
import { openFolderLog } from '../../src/cli/folder-log.ts'
import type { VerbPorts } from '../../src/cli/verb.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { harness, type Harness } from '../api/harness.ts'

/** Runs verbs as the program does and keeps what they print; and the API on the socket of a folder of its own. */

export interface Printed {
  readonly out: string
  readonly error: unknown
}

export interface Ran extends Printed {
  /** What went to standard error. */
  readonly said: string
}

export class Screen extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export async function runVerb(command: Command, screen: Screen, argv: readonly string[]): Promise<Printed> {
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({ writeOut: (text) => screen.write(text), writeErr: (text) => screen.write(text) })
  }
  try {
    await command.parseAsync(argv, { from: 'user' })
    return { out: screen.text, error: null }
  } catch (error) {
    if (error instanceof CommanderError) return { out: screen.text, error: error.exitCode === 0 ? null : error }
    return { out: screen.text, error }
  }
}

/** One call of a verb with its arguments. */
export async function run(make: (ports: VerbPorts) => Command, argv: readonly string[], ports: Partial<VerbPorts> = {}): Promise<Ran> {
  const [stdout, stderr] = [new Screen(), new Screen()]
  const printed = await runVerb(make({ clock: systemClock, openFolder: openFolderLog, stderr, stdout, ...ports }), stdout, argv)
  return { ...printed, said: stderr.text }
}

export function objects(out: string): Record<string, unknown>[] {
  return out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
}

export interface Folder extends AsyncDisposable {
  readonly path: string
}
export function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'waybill-cli-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

/** An API on a memory log, on the socket of the folder. */
export async function serving(data: Folder): Promise<Harness> {
  const api = await harness()
  const served = await serveOnSocket(api.app, join(data.path, socketName), { disk: systemDisk })
  const end = api[Symbol.asyncDispose].bind(api)
  return Object.assign(api, {
    [Symbol.asyncDispose]: async () => {
      await end()
      await served[Symbol.asyncDispose]()
    },
  })
}

export const makeId = idMaker(systemClock, systemRandom)

export async function fileLog(data: Folder): Promise<FileLog> {
  return FileLog.open({
    disk: systemDisk, clock: systemClock, makeId, folder: data.path, cluster: null, node: null, hostname: 'test-host',
    holder: { pid: process.pid, verb: 'test' }, reserveBytes: 1_048_576,
  })
}
