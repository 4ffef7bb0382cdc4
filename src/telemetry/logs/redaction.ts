/**
 * What must never stand in a line, by its name or by its look. The second net: nothing hands such things to the logger on
 * purpose, but errors of other people's code carry what they like.
 */

export const redacted = '[redacted]'

const secretName = /authorization|cookie|pass(?:word|wd|phrase)|secret|token|credential|(?:api|access|client|private|signing)[-_.]?key|^otel.*headers$/i
/** Names of secrets that say where one is, which one or how many, and not what. */
const harmlessName = /[_-](?:count|file|id|ms|name|path|type)$/i

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name)
}

interface SecretLook {
  readonly look: RegExp
  readonly instead: string
}

// Every repetition that another one may follow is bounded, so that no text takes more than linear time.
const looks: readonly SecretLook[] = [
  { look: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, instead: redacted },
  // Up to the end of the line: such values hold spaces, commas and semicolons.
  {
    look: /(\b(?:(?:proxy-)?authorization|(?:set-)?cookie|OTEL_\w{0,60}HEADERS)["']?\s{0,4}[:=]\s{0,4})[^\r\n]+/gi,
    instead: `$1${redacted}`,
  },
  { look: /(\b(?:Bearer|DPoP|Negotiate)\s{1,4})[\w.~+/=-]{4,}/gi, instead: `$1${redacted}` },
  // "Basic constraints" of a certificate are no secret.
  { look: /(\bBasic\s{1,4})[A-Za-z0-9+/]{16,}={0,2}/g, instead: `$1${redacted}` },
  // The user, too: it may be the token.
  { look: /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'<>]{1,1000}@/gi, instead: `$1${redacted}@` },
  {
    look: /((?:pass(?:word|wd|phrase)|secret|token|(?:api|access|client|private|signing)[-_.]?key)["']?\s{0,4}[=:]\s{0,4})(?:"[^"\r\n]*"?|'[^'\r\n]*'?|[^\s,;&"'{}]+)/gi,
    instead: `$1${redacted}`,
  },
]

/** Every look has one of them, most short texts have none. */
const sign = /[\s:=]/

/** The text without what looks like a secret in it. */
export function withoutSecrets(text: string): string {
  if (!sign.test(text)) return text
  return looks.reduce((clean, { look, instead }) => clean.replace(look, instead), text)
}
