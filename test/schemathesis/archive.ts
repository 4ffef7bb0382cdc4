import { readFileSync } from 'node:fs'

/** The calls that schemathesis made and what it got, from its HTTP archive (HAR 1.2), in the order of their beginning. */

export interface ArchivedCall {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly status: number
  readonly etag: string | null
  readonly replayed: boolean
  readonly body: string
  readonly sent: string
}

interface Archive {
  readonly log: {
    readonly entries: readonly {
      readonly startedDateTime: string
      readonly request: { readonly method: string; readonly url: string; readonly postData?: { readonly text?: string } }
      readonly response: {
        readonly status: number
        readonly headers: readonly { readonly name: string; readonly value: string }[]
        readonly content?: { readonly text?: string; readonly encoding?: string }
      }
    }[]
  }
}

export function readArchive(path: string): ArchivedCall[] {
  const { log } = JSON.parse(readFileSync(path, 'utf8')) as Archive
  const inOrder = log.entries.toSorted((one, other) => Date.parse(one.startedDateTime) - Date.parse(other.startedDateTime))
  return inOrder.map(({ request, response }) => {
    const url = new URL(request.url)
    const headers = new Map(response.headers.map(({ name, value }) => [name.toLowerCase(), value]))
    const { encoding, text = '' } = response.content ?? {}
    return {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      status: response.status,
      etag: headers.get('etag') ?? null,
      replayed: headers.has('idempotent-replayed'),
      body: encoding === 'base64' ? Buffer.from(text, 'base64').toString() : text,
      sent: request.postData?.text ?? '',
    }
  })
}
