import type { Mechanism } from 'kafkajs'
import { loginRefused } from './client-faults.ts'
import { readSecretLine, unreadable, type SecretDisk, type SecretFile } from './secret-files.ts'

/**
 * SASL OAUTHBEARER (RFC 7628). kafkajs's own takes the broker's "no" (section 3.2.3) for a "yes", and would fail later
 * with a word about states.
 */

/** RFC 6750, section 2.1. */
const bearerToken = /^[A-Za-z0-9._~+/-]+=*$/
const separator = '\u0001'
/** Before what is sent and what is answered. */
const lengthBytes = 4

export function tokenLogin(disk: SecretDisk, file: SecretFile): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const token = await readSecretLine(disk, file)
        if (!bearerToken.test(token)) throw unreadable(`${file.setting}: what ${file.path} holds is no bearer token (RFC 6750, section 2.1).`)
        const refusal = await saslAuthenticate({
          request: { encode: () => withLength(`n,,${separator}auth=Bearer ${token}${separator}${separator}`) },
          response: { decode: (answer) => answer.subarray(lengthBytes), parse: (answer) => (answer.length === 0 ? null : statusOf(answer)) },
        })
        if (typeof refusal === 'string') throw loginRefused(refusal, null)
      },
    }),
  }
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(lengthBytes)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A word such as `invalid_token`; whatever else an answer holds is not repeated. */
function statusOf(answer: Buffer): string {
  try {
    const { status } = JSON.parse(answer.toString()) as { readonly status?: unknown }
    if (typeof status === 'string' && /^[a-zA-Z0-9_-]{1,60}$/.test(status)) return status
  } catch {
    // Then it says nothing that helps.
  }
  return 'the token is not accepted'
}
