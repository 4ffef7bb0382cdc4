import { expect, test } from 'vitest'
import { StoppedLog } from '../../../src/log/file/stopped-log.ts'
import { folderStreams } from '../../../src/log/kafka/copying/folder-streams.ts'
import { draft, readAll } from '../../support/drafts.ts'
import { fileLogOptions, openMemoryLog } from '../../support/file-logs.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

test('a folder whose oldest records were left to Kafka is not copied into topics: what is missing, and where it is, is said', async () => {
  const disk = new MemoryDisk()
  const log = await openMemoryLog(disk, { segmentBytes: 1_000 })
  for (let index = 0; index < 8; index += 1) await log.append('operations', [draft(`r${index}`, 300)], { purpose: 'owed' })
  const all = await readAll(log, 'operations')
  const sequence = log.boundaries('operations')[0]!
  await log.cut('operations', { prevhash: all[sequence - 1]!.leafHash, sequence })
  await log.close(1_000)
  await using stopped = await StoppedLog.open(fileLogOptions(disk))
  const copying = folderStreams(stopped)
  await expect(copying).rejects.toMatchObject({ code: 'records_missing' })
  await expect(copying).rejects.toThrow(`has the operations stream from record ${sequence} on`)
  await expect(copying).rejects.toThrow('waybill log copy --to DIR')
})
