import { z } from 'zod'
import { listenerCases } from './values.ts'

/** What TLS says in the clear, as connection records spell it. Names are IANA's; what has none is `0xNNNN`. */

export const tlsAlertsRecordedMax = 3

/** FoxIO's JA4 of a TLS client over TCP (BSD-3-Clause): version, SNI, counts and ALPN, then two cut SHA-256. */
export const Ja4 = z
  .string()
  .regex(/^t(?:s[23]|[0-9d][0-9])[di][0-9]{4}[A-Za-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/)
  .meta({ description: 'JA4 fingerprint of the hello: which software it looks like. Can be imitated.' })

export const TlsVersion = z
  .string()
  .regex(/^[A-Za-z0-9.]{1,16}$/)
  .meta({ description: 'TLSv1.3, or 0xNNNN when unknown.' })
/** The longest of IANA's have 45 characters; of groups and alerts 31. */
const CipherName = z.string().regex(/^[A-Za-z0-9_]{1,48}$/)
const ShortName = z.string().regex(/^[A-Za-z0-9_]{1,32}$/)

export const handshakeProgress = ['inferred_complete', 'none', 'server_hello'] as const

export const TlsFacts = z
  .strictObject({
    alerts: z
      .array(
        z.strictObject({
          by: z.enum(['backend', 'client', 'proxy']),
          code: z.int().min(0).max(255),
          name: ShortName,
        }),
      )
      .max(tlsAlertsRecordedMax)
      .meta({ description: 'Alerts that were sent before encryption began, in order, the last one by the proxy if it ended the connection; later ones can not be seen.' }),
    cipher: CipherName.nullable().meta({ description: 'Cipher suite that the backend chose. Null: no ServerHello was seen.' }),
    group: ShortName.nullable().meta({
      description: 'Group of the key exchange; dh_2048 for classic Diffie-Hellman of so many bits. Null: none, or not seen.',
    }),
    handshake: z.enum(handshakeProgress).meta({
      description: 'How far it got. inferred_complete: both sides have sent what only follows a handshake that worked.',
    }),
    hello_retry_request: z.boolean().meta({ description: 'The backend asked for another hello first (RFC 8446, section 4.1.4).' }),
    resumed: z.boolean().nullable().meta({ description: 'Whether it resumed an earlier session. Null: no ServerHello was seen.' }),
    version: TlsVersion.nullable().meta({ description: 'Negotiated version. Null: no ServerHello was seen.' }),
  })
  .nullable()
  .meta({ description: 'What the handshake said in the clear. Null: it was not TLS, it ended before the relay began, or the node was lost before it said so.' })

export type TlsFactsRecorded = z.infer<typeof TlsFacts>

export const Encrypted = z.boolean().nullable().meta({
  description:
    'true: the client began with a complete TLS hello. false: with something else, and a listener lets that through to ' +
    'this pool. null: its hello could not be read, or did not come in time; the closing record then says false if the ' +
    'backend answered without TLS.',
})
export const RoutedBy = z.enum([...listenerCases, 'listener', 'server_name']).meta({
  description: 'What led to the pool: its server name, its own listener, or what the listener does in this case.',
})
export type RoutedBy = z.infer<typeof RoutedBy>
