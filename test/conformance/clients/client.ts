/** A client whose hellos are kept in test/fixtures/hellos, and what its own configuration says that they contain. */
import type { Expected } from '../../support/tls-hellos-vectors.ts'

export interface Hello {
  readonly name: string
  /** What was asked of the client: arguments, or an object of options. */
  readonly options: string
  /** From the client's documentation and these options, never from what a parser read. */
  readonly expected: Expected
  readonly caught: () => Promise<Buffer[]>
}

export interface Client {
  /** Also the name of the file. */
  readonly name: string
  /** Null: it is not installed here. */
  readonly version: string | null
  /** A folder that is removed afterwards, for sessions, profiles and binaries. */
  readonly hellos: (scratch: string) => Promise<readonly Hello[]>
}

/** Resolves to nowhere, and every client that takes a name gets it. */
export const name = 'api.vector.example'

export const tls12 = ['TLSv1.2'] as const
export const tls13 = ['TLSv1.3'] as const
export const tls12And13 = ['TLSv1.2', 'TLSv1.3'] as const

/** Extensions by which a hello is known to do what its name says. */
export const statusRequest = '0005'
export const sessionTicket = '0023'
export const preSharedKey = '0029'
export const earlyData = '002a'
