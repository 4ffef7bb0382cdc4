import * as fs from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Disk, File } from '../disk.ts'

/**
 * The machine's own file system. Every call is one system call through the callback API: the promise API of `node:fs`
 * costs several times as much for each write and sync, and those two are on the way of every connection.
 */

const folderMode = 0o700
const fileMode = 0o600
/** How often a lock held by somebody else is tried again. */
const lockRetryMs = 50

type Done<Result> = (error: NodeJS.ErrnoException | null, result?: Result) => void

function call<Result>(start: (done: Done<Result>) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(error)
      else resolve(result as Result)
    })
  })
}

class SystemFile implements File {
  readonly #descriptor: number
  #closed = false

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  async size(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.#descriptor, done))).size
  }
  read(into: Uint8Array, at: number): Promise<number> {
    return call((done) => fs.read(this.#descriptor, into, 0, into.length, at, done))
  }
  write(bytes: Uint8Array, at: number): Promise<number> {
    return call((done) => fs.write(this.#descriptor, bytes, 0, bytes.length, at, done))
  }
  truncate(length: number): Promise<void> {
    return call((done) => fs.ftruncate(this.#descriptor, length, done))
  }
  sync(): Promise<void> {
    return call((done) => fs.fdatasync(this.#descriptor, done))
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await call<void>((done) => fs.close(this.#descriptor, () => done(null)))
  }
}

async function open(path: string, flags: string): Promise<File> {
  return new SystemFile(await call<number>((done) => fs.open(path, flags, fileMode, done)))
}

export const systemDisk: Disk = {
  openToRead: (path) => open(path, 'r'),
  openToWrite: (path) => open(path, 'r+'),
  create: (path) => open(path, 'wx+'),
  makeFolder: async (path) => {
    await call<string | undefined>((done) => fs.mkdir(path, { recursive: true, mode: folderMode }, done))
  },
  list: async (folder) => {
    const names = await call<string[]>((done) => fs.readdir(folder, done))
    return names.sort((a, b) => (a < b ? -1 : 1))
  },
  rename: (from, to) => call((done) => fs.rename(from, to, done)),
  remove: (path) => call((done) => fs.unlink(path, (error) => done(error?.code === 'ENOENT' ? null : error))),
  syncFolder: async (folder) => {
    const descriptor = await call<number>((done) => fs.open(folder, 'r', done))
    try {
      await call<void>((done) => fs.fsync(descriptor, done))
    } finally {
      await call<void>((done) => fs.close(descriptor, done))
    }
  },
  space: async (folder) => {
    const { bavail, blocks, bsize } = await call<fs.StatsFs>((done) => fs.statfs(folder, done))
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },
  lock,
}

/** A lock must live as long as the process: a database that nobody refers to is closed by the garbage collector. */
const held = new Set<DatabaseSync>()

/**
 * An exclusive transaction of SQLite is an OS file lock, which Node has no other call for. POSIX drops such a lock
 * when the process closes *any* descriptor of the file, so nothing else may ever open `lock`.
 */
async function lock(folder: string, waitMs: number): Promise<Disposable | null> {
  const path = `${folder}/lock`
  const database = openDatabase(path)
  const until = performance.now() + waitMs
  let taken = false
  try {
    while (!(taken = tryToLock(database, path)) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(lockRetryMs, waitMs)))
    }
  } finally {
    if (!taken) database.close()
  }
  if (!taken) return null
  held.add(database)
  return {
    [Symbol.dispose]: () => {
      if (held.delete(database)) database.close()
    },
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    // Timeout 0: SQLite would wait by blocking the event loop.
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw lockError(path, error)
  }
}

function tryToLock(database: DatabaseSync, path: string): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (sqliteCode(error) === sqliteBusy) return false
    throw lockError(path, error)
  }
}

const sqliteBusy = 5
/** SQLite's primary result codes, as the errno names that the rest of the program knows. */
const errnoNames: Readonly<Record<number, string>> = {
  3: 'EACCES', 8: 'EROFS', 10: 'EIO', 13: 'ENOSPC', 14: 'EACCES', 22: 'ENOLCK',
}

function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
}

function lockError(path: string, cause: unknown): Error {
  const code = errnoNames[sqliteCode(cause)] ?? 'EIO'
  const reason = cause instanceof Error ? cause.message : String(cause)
  const error = new Error(`${code}: the lock file ${path} can't be used: ${reason}`, { cause })
  return Object.assign(error, { code, syscall: 'lock' })
}
