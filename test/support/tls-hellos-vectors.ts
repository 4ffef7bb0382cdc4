/**
 * Opens the ClientHello vectors that are shared beside this repository (read where they lie, never copied into it) and
 * this project's own, and rebuilds those that are given as a recipe.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { payloadOf, records, uint16 } from './tls-hellos.ts'

export const sharedVectorsFolder = path.resolve(import.meta.dirname, '../../../shared/vectors')
/** Hellos of real clients, made by test/conformance/capture.ts. */
export const ownHellosFolder = path.resolve(import.meta.dirname, '../fixtures/hellos')

export const vectorsMissing = !existsSync(sharedVectorsFolder)
export const skipReason = `${sharedVectorsFolder} is not there: the vectors are shared beside the repository, not part of it`

/** Fields as ../shared/vectors/README.md describes them; each file has some of them. */
export interface Vector {
  readonly id: string
  readonly hex?: string | null
  readonly derived_from?: string
  readonly recipe?: Recipe
  readonly handshake_message_bytes?: number
  readonly prefix_hex?: string | null
  readonly tls_record_lengths?: readonly number[]
  readonly tcp_segment_lengths?: readonly number[]
  readonly expected: Expected
  readonly lenient_expected?: Expected
  readonly go_crypto_tls_error?: string
}

export interface Expected {
  readonly status?: string
  readonly sni?: string | null
  readonly alpn?: readonly string[]
  readonly alpn_hex?: readonly string[]
  readonly legacy_version?: string
  readonly max_version?: string
  readonly supported_versions?: readonly string[] | null
  readonly cipher_suites?: readonly string[]
  readonly extensions?: readonly string[]
  readonly signature_algorithms?: readonly string[]
  readonly supported_groups?: readonly string[]
  readonly has_ech?: boolean
  /** Null: nobody independent has said. */
  readonly ja4?: string | null
  /** Where sources disagree: any of these will do. */
  readonly ja4_alternatives?: readonly string[]
  readonly suggested_tcp_segments?: readonly number[]
  /** Only this project's own: names of the offered versions, in any order, and extensions that must be among the others. */
  readonly tls_versions?: readonly string[]
  readonly extensions_among?: readonly string[]
}

export interface FuzzVector {
  readonly id: string
  readonly hex: string
  readonly go_crypto_tls: {
    readonly result: 'ok' | 'error'
    readonly error?: string
    readonly sni_hex?: string
    readonly alpn_hex?: readonly string[]
    readonly supported_versions?: readonly string[]
    readonly extensions?: readonly string[]
    readonly cipher_suites?: readonly string[]
  }
}

export interface FirstBytesVector {
  readonly id: string
  readonly kind: 'client_first_not_tls' | 'server_first'
  readonly first_bytes_hex: string
  readonly client_first_bytes_after_greeting_hex: string | null
}

interface Recipe {
  readonly base: string
  readonly padding_extension_bytes: number
  readonly padding_position: 'first' | 'last'
  readonly record_size: number
}

/** The vectors of one file; none where the shared folder is missing. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- files hold vectors of several shapes
export function vectorsOf<V = Vector>(file: string, folder: string = sharedVectorsFolder): readonly V[] {
  if (!existsSync(folder)) return []
  const parsed = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { vectors: readonly V[] }
  return parsed.vectors
}

export function ownHelloFiles(): readonly string[] {
  return readdirSync(ownHellosFolder)
    .filter(file => file.endsWith('.json'))
    .toSorted()
}

export function ownHellos(): readonly Vector[] {
  return ownHelloFiles().flatMap(file => vectorsOf(file, ownHellosFolder))
}

/** `folder` holds the file with the base of a recipe. */
export function wireOf(vector: Vector, folder: string = sharedVectorsFolder): Buffer {
  if (typeof vector.hex === 'string') return Buffer.from(vector.hex, 'hex')
  if (vector.recipe === undefined) throw new Error(`${vector.id} has neither bytes nor a recipe`)
  return padded(vector.recipe, folder)
}

function padded(recipe: Recipe, folder: string): Buffer {
  const base = vectorsOf('clienthello-handcrafted.json', folder).find(vector => vector.id === recipe.base)
  if (base === undefined) throw new Error(`the recipe's base ${recipe.base} is not there`)
  const message = payloadOf(wireOf(base))
  const padding = Buffer.concat([
    uint16(21),
    uint16(recipe.padding_extension_bytes),
    Buffer.alloc(recipe.padding_extension_bytes),
  ])
  let at = 4 + 2 + 32
  at += 1 + message.readUInt8(at)
  at += 2 + message.readUInt16BE(at)
  at += 1 + message.readUInt8(at)
  const block = message.subarray(at + 2)
  const parts = recipe.padding_position === 'first' ? [padding, block] : [block, padding]
  const larger = Buffer.concat([message.subarray(0, at), uint16(block.length + padding.length), ...parts])
  larger.writeUIntBE(larger.length - 4, 1, 3)
  return records(larger, [recipe.record_size])
}
