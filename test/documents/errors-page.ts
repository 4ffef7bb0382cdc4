import { codes, type CodeEntry } from '../../src/api/codes.ts'

/** docs/errors.md, made from the one table of error codes. */
export function errorsPage(): string {
  const entries = Object.entries<CodeEntry>(codes).sort(([one], [other]) => (one < other ? -1 : 1))
  return [
    '# Error codes',
    '',
    'Generated from `src/api/codes.ts` by `npm run docs`; a test holds it.',
    '',
    'Every error of the API is [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) `application/problem+json` with `type`,',
    '`title`, `status`, `detail`, `code`, `action` and `instance`; where fields are wrong, `field` names the first and',
    '`errors[]` has all, each with a sentence. Programs go by `code`, which never changes its meaning; people by `detail`.',
    '',
    '| code | status | title | what to do |',
    '|---|---|---|---|',
    ...entries.map(([code, { action, status, title }]) => `| \`${code}\` | ${status} | ${title} | ${action} |`),
    '',
  ].join('\n')
}
