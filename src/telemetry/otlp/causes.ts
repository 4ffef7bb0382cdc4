import { messageOf } from '../../core/errors.ts'

/** Why an export failed, as one short printable line. Never a stack or a body: an answer may repeat what was sent. */

const charactersMax = 300

export function causeOf(error: unknown, withoutSecrets: (text: string) => string): string {
  const message = messageOf(error)
  const code = codeOf(error)
  const text = code === null || message.includes(code) ? message : `${message} (${code})`.trim()
  return oneLine(withoutSecrets(text))
}

/** Of an address with several IP addresses Node's error has a code and no message; of an HTTP answer it is the status. */
function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  return typeof error.code === 'string' || typeof error.code === 'number' ? String(error.code) : null
}

export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length > charactersMax ? `${line.slice(0, charactersMax).toWellFormed()}…` : line
}
