import { Fault } from '../../../core/errors.ts'
import { chainOf, typeOf } from './broker-errors.ts'

/** Turns what kafkajs throws into faults that say what is wrong with which broker or file, and what to do; no secret is in any. */

export interface FaultContext {
  readonly brokers: readonly string[]
  readonly tls: boolean
  readonly login: boolean
  /** `kafka_user`, where there is one. */
  readonly user: string | null
}

export function faultOf(error: unknown, context: FaultContext): Fault {
  const chain = [...chainOf(error)]
  const own = chain.find((at) => at instanceof Fault)
  if (own !== undefined) return own
  const message = sentenceOf(chain.at(-1)?.message ?? String(error))
  // What a socket failed with arrives as an error of kafkajs with the same code and text.
  const code = chain.map((at) => ('code' in at && typeof at.code === 'string' ? at.code : null)).find((found) => found !== null) ?? null
  if (code?.startsWith('kafka_')) return new Fault(code, 'disk', message, { cause: error })
  const login = chain.find(({ name }) => name === 'KafkaJSSASLAuthenticationError')
  if (login !== undefined) return loginRefused(login.message, context.user, error)
  const type = typeOf(error)
  if (type === 'UNSUPPORTED_SASL_MECHANISM') return loginRefused(message, context.user, error)
  if (type?.endsWith('_AUTHORIZATION_FAILED')) return notAuthorized(`${message} (${type})`, error)
  const where = brokerOf(chain) ?? context.brokers.join(', ')
  if (code !== null && isTlsCode(code)) {
    const sentence = `TLS with the Kafka broker ${where} failed: ${message} (${code}). ${tlsHelp(code)}`
    return new Fault('kafka_tls_failed', 'network', sentence, { cause: error })
  }
  const sentence = `the Kafka broker ${where} does not answer as it should: ${message}.${closingHelp(code, message, context)}`
  return new Fault('kafka_unreachable', 'network', sentence, { canRetry: true, cause: error })
}

/** Brokers end a connection that says something else than they expect, without a word. */
function closingHelp(code: string | null, message: string, { login, tls }: FaultContext): string {
  if (code !== null && code !== 'ECONNRESET') return ''
  if (!tls) return ' If that is a port for TLS, set kafka_tls to true.'
  if (message.includes('before secure TLS')) return ' If that port does not speak TLS, name the one that does, or set kafka_tls to false.'
  return login ? '' : ' If it asks for a login, set kafka_sasl.'
}

/** `user` null: by a token. */
export function loginRefused(message: string, user: string | null, cause?: unknown): Fault {
  const who = user === null ? 'this node by its token' : `"${user}"`
  return new Fault(
    'kafka_login_refused', 'network',
    `the Kafka brokers refuse to log in ${who}: ${message}. Check that the brokers know this user by this kafka_sasl, and what is in ` +
      `${user === null ? 'kafka_token_file' : 'kafka_password_file'}; the file is read again at each try.`,
    { cause },
  )
}

export function notAuthorized(what: string, cause?: unknown): Fault {
  return new Fault(
    'kafka_not_authorized', 'network',
    `the Kafka brokers do not allow this node what it needs: ${what}. "waybill kafka topics --print" shows the access rules to add.`,
    { cause },
  )
}

/** Without what kafkajs and OpenSSL put around it (`4033:error:0A000412:SSL routines:ssl3_read_bytes:tlsv1 alert ...:../deps/...`). */
function sentenceOf(message: string): string {
  const bare = message.trim().replace(/^(?:Connection error|KafkaJS\w+): /, '')
  return /(?:^|:)error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(bare)?.[1] ?? bare.split('; if the root CA')[0]!
}

function brokerOf(chain: readonly Error[]): string | null {
  for (const at of chain) if ('broker' in at && typeof at.broker === 'string') return at.broker
  return null
}

/** OpenSSL's, and Node's own about certificates (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
function isTlsCode(code: string): boolean {
  return /^(?:ERR_(?:SSL|TLS|OSSL)_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/.test(code)
}

function tlsHelp(code: string): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'The certificate of the broker is for other names: name the brokers as it does, and look at their advertised.listeners.'
  }
  if (code === 'CERT_HAS_EXPIRED') return 'The certificate of the broker, or of its authority, has to be renewed.'
  if (code.includes('ALERT')) {
    return 'The broker refuses what it was shown: check kafka_cert and kafka_key, and which authorities the broker trusts.'
  }
  if (/WRONG_VERSION|PACKET_LENGTH/.test(code)) return 'That port does not speak TLS: name the port that does, or set kafka_tls to false.'
  if (/^ERR_OSSL_|PEM|KEY_VALUES/.test(code)) {
    return 'Check that kafka_ca, kafka_cert and kafka_key are PEM, not encrypted, and that the key belongs to the certificate.'
  }
  return 'kafka_ca has to hold the authority that the certificates of the brokers come from.'
}
