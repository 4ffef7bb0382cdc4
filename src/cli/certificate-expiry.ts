import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { firstExpiryMs } from '../core/system/certificates.ts'
import { readSecretFile, type SecretFile } from '../log/kafka/connection/secret-files.ts'

/** Certificates are replaced now and then, and last for days: a file is read again after this time. */
const keptMs = 60_000

/** When the certificates in one file expire, looked up at most once a minute, however often somebody asks. */
export class CertificateExpiry {
  readonly #clock: Clock
  readonly #disk: Pick<Disk, 'openToRead'>
  readonly #file: SecretFile
  #readAtMs = -Infinity
  #expiry: Promise<number | null> = Promise.resolve(null)

  constructor(clock: Clock, disk: Pick<Disk, 'openToRead'>, file: SecretFile) {
    this.#clock = clock
    this.#disk = disk
    this.#file = file
  }

  /** Milliseconds since the epoch; null: the file can't be read, or holds no certificate. */
  ms(): Promise<number | null> {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#readAtMs >= keptMs) {
      this.#readAtMs = nowMs
      this.#expiry = this.#read()
    }
    return this.#expiry
  }

  async #read(): Promise<number | null> {
    try {
      return firstExpiryMs(await readSecretFile(this.#disk, this.#file))
    } catch (error) {
      if (error instanceof Fault) return null
      throw error
    }
  }
}
