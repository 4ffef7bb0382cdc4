import type { Disk } from '../../../core/disk.ts'
import { errnoOf, Fault } from '../../../core/errors.ts'

/** Files that hold what must stand nowhere else: keys, passwords, tokens. What is said of them never says what is in them. */

/** A bundle of all public authorities has a quarter of it. */
const fileBytesMax = 1_048_576

export interface SecretFile {
  /** The setting that names it, such as `kafka_key`. */
  readonly setting: string
  readonly path: string
}

export type SecretDisk = Pick<Disk, 'openToRead'>

/** Throws a `Fault` (`kafka_file_unreadable`). */
export async function readSecretFile(disk: SecretDisk, { path, setting }: SecretFile): Promise<Buffer> {
  try {
    await using file = await disk.openToRead(path)
    const bytes = Buffer.alloc(fileBytesMax + 1)
    let length = 0
    while (length < bytes.length) {
      const taken = await file.read(bytes.subarray(length), length)
      if (taken === 0) return bytes.subarray(0, length)
      length += taken
    }
    throw Object.assign(new Error('the file is too large'), { code: 'EFBIG' })
  } catch (error) {
    throw unreadable(`${setting}: ${path} can't be read: ${errnoOf(error)}; put the file there, readable for this process.`, error)
  }
}

/** The one line of a file, without its line break. */
export async function readSecretLine(disk: SecretDisk, file: SecretFile): Promise<string> {
  const text = (await readSecretFile(disk, file)).toString().replace(/\r?\n$/, '')
  const problem = text === '' ? 'is empty' : /[\r\n\0]/.test(text) ? 'has more than one line' : null
  if (problem !== null) throw unreadable(`${file.setting}: ${file.path} ${problem}; it has to hold one line and nothing else.`)
  return text
}

export function unreadable(sentence: string, cause?: unknown): Fault {
  return new Fault('kafka_file_unreadable', 'disk', sentence, { cause })
}
