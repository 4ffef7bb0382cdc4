import { leafHash } from '../../../../events/chain.ts'
import { ChainCheck } from '../../../../events/chain-check.ts'
import { streams, type Stream } from '../../../../events/define.ts'
import type { Disk } from '../../../core/disk.ts'
import { errnoOf, Fault } from '../../../core/errors.ts'
import { FileLog, type FileLogOptions } from '../../file/file-log.ts'
import { writeIdentity } from '../../file/folder.ts'
import { naming, syncParents } from '../../file/open-folder.ts'
import { StoppedLog } from '../../file/stopped-log.ts'
import { ControlCopy } from '../control/control-copy.ts'
import type { CopyPlan } from './copy-plan.ts'
import type { FetchedMessage } from '../connection/fetch-client.ts'
import { sourceIn } from '../joining/join.ts'
import { linkOf } from '../reading/own-records.ts'
import type { Partitions } from '../topics/partitions.ts'
import { endsOfTopic, messagesBetween, readPatiently } from '../reading/patient-reader.ts'
import { TakingBack } from '../joining/taking-back.ts'
import type { TopicParts } from './topic-survey.ts'

/**
 * Copies what the topics hold of one node into a new folder, byte for byte, and reads it back. Everything is written beside
 * it and gets its name at the end: a folder of that name is whole.
 */

export interface CopyIntoFolder extends TopicParts {
  readonly disk: Disk
  /** Its whole path. */
  readonly folder: string
  readonly holder: FileLogOptions['holder']
  readonly makeId: FileLogOptions['makeId']
  readonly partitions: Partitions
  readonly plan: CopyPlan
}

export interface CopiedFolder {
  readonly streams: readonly {
    readonly stream: Stream
    readonly topic: string
    /** That the node wrote itself. */
    readonly records: number
    /** Of the last of them; null: there is none. */
    readonly lastHash: string | null
  }[]
  /** Records of control of all nodes; null: those of this node are all. */
  readonly controlOfAll: number | null
}

const unfinishedSuffix = '.unfinished'
const closeMs = 60_000
/** Control last: then no connection names a revision that the folder does not have. */
const order = ['connections', 'operations', 'control'] as const satisfies readonly Stream[]

/** Before anything is read, which takes long. Throws a `Fault` when there is something in the way. */
export async function checkNewFolder(disk: Disk, folder: string): Promise<void> {
  if ((await namesIn(disk, folder)).length > 0) {
    throw new Fault('folder_not_empty', 'settings', `there is something in ${folder} already: name a folder that does not exist yet (--to)`)
  }
  if ((await namesIn(disk, folder + unfinishedSuffix)).length > 0) {
    throw new Fault('folder_not_empty', 'settings', `${folder}${unfinishedSuffix} is what is left of a copy that broke off: remove it, then copy again`)
  }
}

/** Throws a `Fault`: records are missing or contradict each other, the disk takes no more, or why the brokers can't be asked. */
export async function copyIntoFolder(copy: CopyIntoFolder): Promise<CopiedFolder> {
  const { disk, folder: to, plan } = copy
  const unfinished = to + unfinishedSuffix
  try {
    return await naming(to, async () => {
      await disk.makeFolder(unfinished)
      await writeIdentity(disk, unfinished, plan.author)
      const written = await write(copy, unfinished)
      const copied = await readBack(copy, unfinished, written)
      await disk.rename(unfinished, to)
      await syncParents(disk, to)
      return copied
    })
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw new Fault(error.code, error.source, `${error.message}\n${unfinished} is what was written until then: remove it before you copy again.`, { cause: error })
  }
}

type Written = Readonly<Record<Stream, { readonly records: number; readonly lastHash: string | null }>>

async function write(copy: CopyIntoFolder, folder: string): Promise<Written> {
  const { clock, disk, holder, makeId, plan } = copy
  const file = await FileLog.open({ clock, cluster: null, disk, folder, holder, hostname: plan.author.node, makeId, node: null })
  const written = {} as Record<Stream, Written[Stream]>
  try {
    for (const stream of order) written[stream] = await writeStream(copy, file, folder, stream)
  } finally {
    await file.close(closeMs)
  }
  return written
}

async function writeStream(copy: CopyIntoFolder, file: FileLog, folder: string, stream: Stream): Promise<Written[Stream]> {
  const { client, clock, partitions, plan, progress, topics } = copy
  const partition = partitions.of(stream, plan.author.node)
  const at = { client, clock, topic: topics[stream] }
  const { earliest, latest } = await endsOfTopic(at)
  const from = new Map([[partition, earliest.get(partition) ?? 0]])
  using shown = progress(`messages of ${stream} copied`, messagesBetween({ earliest: from, latest: new Map([[partition, latest.get(partition) ?? 0]]) }))
  const own = sourceIn(plan.author, stream)
  const chosen = new Chosen(topics[stream], stream === 'control' && plan.withCopy ? null : own)
  const taking = new TakingBack(file, stream)
  let lastHash: string | null = null
  await using copyOfAll = stream === 'control' && plan.withCopy ? await openCopy(copy, folder) : null
  for await (const { messages } of readPatiently(at, from)) {
    const fresh = messages.flatMap((message) => chosen.take(message) ?? [])
    for (const record of fresh) {
      if (record.source !== own) continue
      await taking.add(record)
      lastHash = record.leafHash
    }
    await copyOfAll?.take(fresh)
    shown.add(messages.length)
  }
  await taking.store()
  return { lastHash, records: taking.count }
}

interface ChosenRecord {
  readonly bytes: Buffer
  readonly leafHash: string
  readonly offset: number
  readonly source: string
}

/** Each record once, and none missing. */
class Chosen {
  readonly #topic: string
  /** Null: all. */
  readonly #source: string | null
  readonly #check = new ChainCheck()

  constructor(topic: string, source: string | null) {
    this.#topic = topic
    this.#source = source
  }

  /** Null: it is not wanted. Throws a `Fault` where a source can't be continued. */
  take({ offset, value }: FetchedMessage): ChosenRecord | null {
    const link = value === null ? null : linkOf(value)
    if (value === null || link === null || (this.#source !== null && link.source !== this.#source)) return null
    const hash = leafHash(value)
    const verdict = this.#check.judge(link, hash)
    if (verdict === 'duplicate') return null
    if (verdict === 'next') return { bytes: value, leafHash: hash, offset, source: link.source }
    const where = `record ${link.sequence} of ${link.source}, at offset ${offset} of ${this.#topic}`
    if (verdict === 'contradiction') {
      throw new Fault('log_contradicted', 'log', `${where}, is another one than the chain of this source has there: it was changed, or two processes wrote as one node.`)
    }
    throw new Fault(
      'records_missing', 'log',
      `records before ${where}, are missing: their time in the topic was over, or they were removed. The folder of that node has them, if it is kept.`,
    )
  }
}

interface CopyWriter extends AsyncDisposable {
  take(records: readonly ChosenRecord[]): Promise<void>
}

/** As a node of the cluster keeps it, but that a disk which does not take it ends the copy. */
async function openCopy({ clock, disk }: CopyIntoFolder, folder: string): Promise<CopyWriter> {
  const failed = new AbortController()
  let code = ''
  const copy = await ControlCopy.open({
    clock, disk, folder,
    onFailure: (failure) => {
      if (failure === null) return
      code = failure.code
      failed.abort()
    },
  })
  return {
    take: async (records) => {
      await copy.take(records, failed.signal)
      if (failed.signal.aborted) throw new Fault('log_folder_unusable', 'disk', `control can't be written to ${folder} (${code}). Make room or mend the disk; then copy again.`)
    },
    [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose](),
  }
}

/** Through the checks of every reader: chain, source, sequence. */
async function readBack({ clock, disk, holder, plan, progress, topics }: CopyIntoFolder, folder: string, written: Written): Promise<CopiedFolder> {
  await using log = await StoppedLog.open({ clock, disk, folder, holder })
  const copied: CopiedFolder['streams'][number][] = []
  for (const stream of streams) {
    using shown = progress(`records of ${stream} read back`, log.countOwn(stream))
    let lastHash: string | null = null
    for await (const batch of log.readOwn(stream, { after: null, follow: false })) {
      lastHash = batch.at(-1)!.leafHash
      shown.add(batch.length)
    }
    const records = log.countOwn(stream)
    if (records !== written[stream].records || lastHash !== written[stream].lastHash) {
      throw new Fault('log_copy_incomplete', 'disk', `the ${stream} stream in ${folder} does not end as ${topics[stream]} does: look at the disk`)
    }
    copied.push({ lastHash, records, stream, topic: topics[stream] })
  }
  return { controlOfAll: plan.withCopy ? log.count('control') : null, streams: copied }
}

async function namesIn(disk: Disk, folder: string): Promise<readonly string[]> {
  return disk.list(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
}
