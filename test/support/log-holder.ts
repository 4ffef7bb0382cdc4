import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { idMaker } from '../../src/core/ids.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { draft } from './drafts.ts'

/** A process of its own that holds the log folder named on its command line and writes to it until it is killed. */

const log = await FileLog.open({
  disk: systemDisk,
  clock: systemClock,
  folder: process.argv[2]!,
  makeId: idMaker(systemClock, systemRandom),
  cluster: null,
  node: null,
  hostname: 'holder',
  holder: { pid: process.pid, verb: 'serve' },
  reserveBytes: 0,
})
for (let index = 0; ; index += 1) {
  await log.append('connections', [draft(`r${index}`, 500)], { purpose: 'admission' })
  process.stdout.write(`${index}\n`)
}
