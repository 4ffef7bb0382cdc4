/**
 * What a PostgreSQL client is told whose request for encryption can't be answered: this proxy has no certificate and
 * never negotiates, and a bare close would leave the person with "server closed the connection unexpectedly". An error,
 * and not `N`: that would invite a client with sslmode=prefer to go on in plaintext. Newer libpq says only that an error
 * came instead of an answer (it trusts no text before encryption); older ones print it.
 */

const fields: readonly (readonly [type: string, text: string])[] = [
  ['S', 'FATAL'],
  ['V', 'FATAL'],
  ['C', '08P01'],
  ['M', 'this is a TLS passthrough proxy: TLS has to begin with the first byte'],
  ['H', 'Use sslnegotiation=direct, which PostgreSQL 17 and later understand.'],
]

/** ErrorResponse of the PostgreSQL protocol, version 3.0. */
export function postgresRefusal(): Uint8Array {
  const body = Buffer.concat([...fields.map(([type, text]) => Buffer.from(`${type}${text}\0`)), Buffer.of(0)])
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
