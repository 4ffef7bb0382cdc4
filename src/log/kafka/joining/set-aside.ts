import { streams } from '../../../../events/define.ts'
import { readWhole, replaceFile } from '../../../core/disk.ts'
import { errnoOf } from '../../../core/errors.ts'
import { LogDamaged } from '../../event-log.ts'
import { readIdentity } from '../../file/folder.ts'
import { lockFolder, type LockOptions } from '../../file/open-folder.ts'
import { placesName } from '../shipping/shipped-places.ts'

/** Moves a log that can't be continued out of the way, whole, so that a new one begins in its folder. */

/** A log folder that could not be continued. */
export interface SetAside {
  readonly epoch: string
  readonly because: string
}

/** Says what is being moved, until it was. */
export const settingAsideName = 'setting-aside.json'

/** Answers where the log is then. */
export async function setAside(options: LockOptions, { because, epoch }: SetAside): Promise<string> {
  const { disk, folder } = options
  await using _lock = await lockFolder(options)
  await replaceFile(disk, folder, settingAsideName, Buffer.from(JSON.stringify({ because, epoch })))
  return await move(options, epoch)
}

/** Does the rest of what a crash interrupted, before the folder is opened: half of a log is none. Null: nothing was. */
export async function finishSettingAside(options: LockOptions): Promise<SetAside | null> {
  const { disk, folder } = options
  const mark = await readWhole(disk, `${folder}/${settingAsideName}`).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  })
  if (mark === null) return null
  await using _lock = await lockFolder(options)
  const aside = readMark(mark, `${folder}/${settingAsideName}`)
  await move(options, aside.epoch)
  return aside
}

async function move({ disk, folder }: LockOptions, epoch: string): Promise<string> {
  const to = `${folder}/earlier/${epoch}`
  const identity = await readIdentity(disk, folder)
  await disk.makeFolder(to)
  const present = await disk.list(folder)
  for (const name of ['node.json', 'clean.json', placesName, ...streams, 'snapshots']) {
    // Whose epoch is another one already is the log that began since.
    if (present.includes(name) && (identity === null || identity.epoch === epoch)) await disk.rename(`${folder}/${name}`, `${to}/${name}`)
  }
  await disk.syncFolder(to)
  await disk.syncFolder(folder)
  await disk.remove(`${folder}/${settingAsideName}`)
  await disk.syncFolder(folder)
  return to
}

function readMark(mark: Buffer, path: string): SetAside {
  try {
    const { because, epoch } = JSON.parse(mark.toString()) as Readonly<Record<string, unknown>>
    if (typeof because === 'string' && typeof epoch === 'string' && /^[0-9a-f-]{36}$/.test(epoch)) return { because, epoch }
  } catch {
    // Said below.
  }
  throw new LogDamaged(`${path} does not say what is being set aside. Restore the file from a copy.`)
}
