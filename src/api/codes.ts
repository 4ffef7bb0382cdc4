import type { RefusalCode } from '../commands/decision.ts'

/**
 * Every error code of the API, in one table: its status, its title, and what the caller can do. `docs/errors.md` is
 * made from it. A code never changes its meaning; a new meaning is a new code.
 */

export interface CodeEntry {
  readonly status: number
  readonly title: string
  readonly action: string
}

type Refusals = Record<RefusalCode, CodeEntry>

const refusals = {
  backend_exists: { status: 409, title: 'The pool already has this backend', action: 'Nothing to do, or add another host or port.' },
  backend_url_invalid: { status: 422, title: 'The URL is not that of a backend', action: 'Send https://host or https://host:port, nothing more.' },
  backend_unknown: { status: 404, title: 'The pool has no such backend', action: 'List them with GET /api/pools/NAME/backends.' },
  business_need_missing: { status: 422, title: 'Traffic without encryption needs a business need', action: 'Send business_need with allow_plaintext, or leave allow_plaintext off.' },
  command_too_large: { status: 413, title: 'The change is too large for one record', action: 'Shorten texts and lists, or split the change.' },
  default_route_taken: { status: 409, title: 'Another pool is the default route', action: 'Leave default_route out, or change the other pool first.' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request', action: 'Use a new key for every new request.' },
  listen_invalid: { status: 422, title: 'The listen address is not usable', action: 'Send ip:port with an IP literal, or a port from 1 to 65535.' },
  listen_taken: { status: 409, title: 'The listen address is in use', action: 'Choose another port.' },
  listener_pool_unknown: { status: 409, title: 'The pool to send clients to does not exist', action: 'Create it first, or name one that GET /api/pools lists.' },
  listener_unknown: { status: 404, title: 'There is no such listener', action: 'List the listeners with GET /api/listeners.' },
  managed_by_file: { status: 409, title: 'A declaration file owns this', action: 'Change the file that the detail names, and apply it.' },
  plaintext_not_allowed: { status: 409, title: 'The pool takes TLS only', action: 'Set its allow_plaintext first, or name a pool that has it.' },
  pool_exists: { status: 409, title: 'There is already a pool of this name', action: 'Choose another name.' },
  pool_named_by_listener: { status: 409, title: 'A listener sends clients to this pool', action: 'Change the listener that the detail names first.' },
  pool_unknown: { status: 404, title: 'There is no such pool', action: 'List the pools with GET /api/pools.' },
  revision_mismatch: { status: 412, title: 'It was changed since it was read', action: 'Read it again and decide on what you find.' },
  server_name_invalid: { status: 422, title: 'A server name is not usable', action: 'Send host names such as app.example.com, *.example.com or **.example.com.' },
  server_name_taken: { status: 409, title: 'Another pool claims this server name', action: 'Remove it there first: a server name leads to one pool.' },
  too_many_backends: { status: 409, title: 'The pool has as many backends as it may', action: 'Remove one, or use a second pool.' },
  too_many_pools: { status: 409, title: 'There are as many pools as there may be', action: 'Remove one first.' },
} as const satisfies Refusals

const requests = {
  body_invalid: { status: 400, title: 'The body is not usable JSON', action: 'Send one JSON object in UTF-8; the detail says where it breaks.' },
  body_too_large: { status: 413, title: 'The body is too large', action: 'Send at most 64 KiB.' },
  body_unwanted: { status: 400, title: 'This call takes no body', action: 'Say it in the query, as the detail shows.' },
  connection_unknown: { status: 404, title: 'No such connection is open on this node', action: 'List those that are with GET /api/connections; its records say what became of it.' },
  cross_site: { status: 403, title: 'A web page of another site may not use this API', action: 'Call it from a command line or from its own page.' },
  declaration_invalid: { status: 422, title: 'The declaration file is not valid', action: 'Correct the lines that errors[] names; waybill check FILE finds the same.' },
  field_invalid: { status: 422, title: 'A field of the request is not valid', action: 'Correct the fields that errors[] names.' },
  header_invalid: { status: 400, title: 'A header of the request is not valid', action: 'Correct the header that the detail names.' },
  headers_too_large: { status: 431, title: 'The headers are too large', action: 'Send fewer or shorter headers.' },
  host_not_ours: { status: 421, title: 'The Host header is not a name of this API', action: 'Use localhost, 127.0.0.1 or [::1] with the port of the API.' },
  method_not_allowed: { status: 405, title: 'This address does not take this method', action: 'Use a method that the Allow header lists.' },
  never_decrypts: { status: 422, title: 'This proxy never decrypts', action: 'Leave ssl_mode out, or send "passthrough".' },
  node_is_running: { status: 409, title: 'The node is running', action: 'Stop it: it closes its connections itself. If it is gone, wait until it was silent for 30 s.' },
  node_is_self: { status: 409, title: 'This is the node that answers', action: 'Ask another node, or stop this one in order.' },
  node_unknown: { status: 404, title: 'No such node was heard of', action: 'List the nodes with GET /api/nodes.' },
  origin_not_ours: { status: 403, title: 'A web page of another origin may not use this API', action: 'Call it from a command line or from its own page.' },
  position_unknown: { status: 422, title: 'The log has no such position', action: 'Send a position that this log gave out for this stream.' },
  request_malformed: { status: 400, title: 'The request is not HTTP as this server speaks it', action: 'Correct the request line, the headers or the path.' },
  request_timeout: { status: 408, title: 'The request took too long to arrive', action: 'Send it again, faster.' },
  revision_unknown: { status: 404, title: 'There is no such revision', action: 'Use one from 0 to the newest, which the answer names.' },
  route_unknown: { status: 404, title: 'There is nothing at this address', action: 'Check the path; pools are at /api/pools.' },
} as const satisfies Record<string, CodeEntry>

const world = {
  clock_off: { status: 503, title: 'The clock of this node is wrong, so nothing was changed', action: 'Set it right (NTP), or send the change to another node; connections go on.' },
  cluster_not_followed: { status: 503, title: 'This node does not hear the cluster', action: 'Send it again when the log is reachable, or to another node.' },
  command_queue_full: { status: 503, title: 'Too many changes are waiting', action: 'Send it again after a moment; nothing was changed.' },
  configuration_frozen: { status: 503, title: 'This node no longer follows the configuration', action: 'Nothing was changed. Another node may be newer: update this one, or look at its log.' },
  conflict_retry_exhausted: { status: 503, title: 'Other changes were faster every time', action: 'Send it again; nothing was changed, and the attempts are on record as void.' },
  internal_error: { status: 500, title: 'This program has a bug', action: 'Report it with the instance and the lines around it in the program\'s own log.' },
  log_unreadable: { status: 503, title: 'The log can\'t be read', action: 'Look at the detail and at the disk; what was written before may be damaged.' },
  metrics_unavailable: { status: 503, title: 'The metrics can\'t be collected', action: 'Look at the program\'s own log, which says why; clients are served all the same.' },
  not_applied: { status: 503, title: 'The log can\'t be written, so nothing was changed', action: 'Send it again when /health/ready answers 200.' },
  not_ready: { status: 503, title: 'This node should get no clients now', action: 'Look at errors[]: it says why.' },
  outcome_unknown: { status: 503, title: 'The change was handed to the log and not confirmed', action: 'Look for the record id in GET /api/events?stream=control before sending it again.' },
  too_many_readers: { status: 503, title: 'Too many clients read events already', action: 'End one of them, or wait.' },
} as const satisfies Record<string, CodeEntry>

export const codes = { ...refusals, ...requests, ...world } as const

export type Code = keyof typeof codes
