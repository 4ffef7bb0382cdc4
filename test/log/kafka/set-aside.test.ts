import { expect, test } from 'vitest'
import { streams } from '../../../events/define.ts'
import { replaceFile, type Disk } from '../../../src/core/disk.ts'
import { systemDisk } from '../../../src/core/system/disk.ts'
import { FileLog, type FileLogOptions } from '../../../src/log/file/file-log.ts'
import { finishSettingAside, setAside, settingAsideName } from '../../../src/log/kafka/joining/set-aside.ts'
import { draft, labels } from '../../support/drafts.ts'
import { fileLogOptions } from '../../support/file-logs.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'
import { TemporaryFolder } from '../../support/waybill.ts'

const because = 'a test'

function optionsOf(folder: string): FileLogOptions {
  return fileLogOptions(new MemoryDisk(), { disk: systemDisk, folder })
}

/** A disk that answers so many calls and no more, as far as its process sees; and how many there were. */
function dyingDisk(callsMax: number): { readonly disk: Disk; readonly calls: () => number } {
  let calls = 0
  const disk = new Proxy(systemDisk, {
    get: (target, name, receiver) => {
      const call: unknown = Reflect.get(target, name, receiver)
      if (typeof call !== 'function') return call
      return (...values: unknown[]): unknown => {
        calls += 1
        return calls > callsMax ? Promise.reject(Object.assign(new Error('dead'), { code: 'EIO' })) : Reflect.apply(call, target, values)
      }
    },
  })
  return { calls: () => calls, disk }
}

/** `calls`: how many to the disk it took, or would have. */
async function setAsideWith(folder: string, callsMax: number): Promise<{ readonly calls: number; readonly epoch: string }> {
  const log = await FileLog.open(optionsOf(folder))
  for (const stream of streams) await log.append(stream, [draft('a')], { purpose: 'owed' })
  await log.close(1_000)
  const { calls, disk } = dyingDisk(callsMax)
  const { epoch } = log.writer
  await setAside({ ...optionsOf(folder), disk }, { because, epoch }).catch(() => {})
  return { calls: calls(), epoch }
}

test('a log is set aside whole, or not at all, whenever the process dies', async () => {
  using first = new TemporaryFolder()
  const { calls } = await setAsideWith(first.path, Infinity)
  const begun: boolean[] = []
  for (let callsMax = 0; callsMax <= calls; callsMax += 1) {
    using at = new TemporaryFolder()
    const { epoch } = await setAsideWith(at.path, callsMax)
    const options = optionsOf(at.path)
    const finished = await finishSettingAside(options)
    expect(await finishSettingAside(options)).toBeNull()
    const here = await FileLog.open(options)
    begun.push(here.head('control') === null)
    if (finished !== null) expect([finished, begun.at(-1)]).toEqual([{ because, epoch }, true])
    const whole = begun.at(-1)! ? await FileLog.open(optionsOf(`${at.path}/earlier/${epoch}`)) : here
    for (const stream of streams) expect(await labels(whole, stream), `${stream}, after ${callsMax} calls`).toEqual(['a'])
    await Promise.all([here.close(1_000), whole.close(1_000)])
  }
  // Of the moments in which it was interrupted some came before the first step.
  expect(begun.indexOf(false)).toBe(0)
  expect(begun.indexOf(true)).toBe(begun.lastIndexOf(false) + 1)
})

test('a log that began since stays where it is', async () => {
  using at = new TemporaryFolder()
  const { epoch } = await setAsideWith(at.path, Infinity)
  const options = optionsOf(at.path)
  const began = await FileLog.open(options)
  await began.append('control', [draft('b')], { purpose: 'owed' })
  await began.close(1_000)
  await writeMark(at.path, JSON.stringify({ because, epoch }))
  expect(await finishSettingAside(options)).toEqual({ because, epoch })
  const here = await FileLog.open(options)
  expect(await labels(here, 'control')).toEqual(['b'])
  await here.close(1_000)
})

test('a mark that nobody can read stops the start', async () => {
  using at = new TemporaryFolder()
  await setAsideWith(at.path, 8)
  await writeMark(at.path, '{"epoch":"../../etc"}')
  await expect(finishSettingAside(optionsOf(at.path))).rejects.toThrow('setting-aside.json does not say what is being set aside')
})

async function writeMark(folder: string, text: string): Promise<void> {
  await replaceFile(systemDisk, folder, settingAsideName, Buffer.from(text))
}
