import { codes, type Code } from '../../src/api/codes.ts'

/** Which error codes which call may be answered with, for the document. What schemathesis gets has to be among them. */

export interface DescribedCall {
  readonly operationId: string
  /** Lower case, as in the document. */
  readonly method: string
  readonly path: string
}

/** Before the call is looked at, or because of a bug. */
const everywhere: readonly Code[] = [
  'cross_site', 'headers_too_large', 'host_not_ours', 'internal_error', 'origin_not_ours', 'request_malformed', 'request_timeout',
]
/** Of every change of the configuration. */
const changes: readonly Code[] = [
  'clock_off', 'command_queue_full', 'command_too_large', 'configuration_frozen', 'conflict_retry_exhausted', 'field_invalid', 'header_invalid',
  'idempotency_key_reused', 'not_applied', 'outcome_unknown',
]
const poolSettings: readonly Code[] = [
  'business_need_missing', 'default_route_taken', 'listen_invalid', 'listen_taken', 'never_decrypts', 'server_name_invalid', 'server_name_taken',
]
const newPool: readonly Code[] = [
  ...poolSettings, 'backend_exists', 'backend_url_invalid', 'pool_exists', 'too_many_backends', 'too_many_pools',
]
const existingPool: readonly Code[] = ['managed_by_file', 'pool_unknown', 'revision_mismatch']
const existingBackend: readonly Code[] = [...existingPool, 'backend_unknown']
const listenerChanges: readonly Code[] = ['listener_pool_unknown', 'managed_by_file', 'plaintext_not_allowed', 'revision_mismatch']
const oldStates: readonly Code[] = ['field_invalid', 'log_unreadable', 'revision_unknown']

const own: Readonly<Record<string, readonly Code[]>> = {
  createPool: [...changes, ...newPool],
  changePool: [...changes, ...poolSettings, ...existingPool, 'pool_named_by_listener'],
  deletePool: [...changes, ...existingPool, 'pool_named_by_listener'],
  addBackend: [...changes, ...existingPool, 'backend_exists', 'backend_url_invalid', 'too_many_backends'],
  changeBackend: [...changes, ...existingBackend],
  drainBackend: [...changes, ...existingBackend],
  resumeBackend: [...changes, ...existingBackend],
  deleteBackend: [...changes, ...existingBackend],
  changeSharedListener: [...changes, ...listenerChanges],
  changePoolListener: [...changes, ...listenerChanges, 'listener_unknown'],
  applyDeclaration: [
    ...changes, ...newPool, ...existingBackend, ...listenerChanges, 'declaration_invalid', 'listener_unknown', 'pool_named_by_listener',
  ],
  listPools: ['field_invalid'],
  readPool: ['field_invalid', 'pool_unknown'],
  listBackends: ['field_invalid', 'pool_unknown'],
  readBackend: ['backend_unknown', 'field_invalid', 'pool_unknown'],
  listConnections: ['field_invalid'],
  readConnection: ['connection_unknown', 'field_invalid'],
  endConnection: ['connection_unknown', 'field_invalid', 'header_invalid'],
  listListeners: ['field_invalid'],
  listNodes: ['field_invalid'],
  readNode: ['field_invalid', 'node_unknown'],
  retireNode: [
    'cluster_not_followed', 'command_queue_full', 'field_invalid', 'log_unreadable', 'node_is_running', 'node_is_self', 'node_unknown',
    'not_applied', 'outcome_unknown',
  ],
  readSharedListener: ['field_invalid'],
  readPoolListener: ['field_invalid', 'listener_unknown'],
  listDeclarations: [],
  readState: oldStates,
  compareStates: oldStates,
  readTrail: ['field_invalid', 'log_unreadable', 'too_many_readers'],
  readEvents: ['field_invalid', 'log_unreadable', 'position_unknown', 'too_many_readers'],
  live: [],
  ready: ['not_ready'],
  readMetrics: ['metrics_unavailable'],
}

/** Of the statuses that the call declares and of those that any call may have, in code-unit order. */
export function codesOf(
  { method, operationId, path }: DescribedCall,
  declared: readonly number[],
): ReadonlyMap<number, readonly Code[]> {
  const particular = own[operationId] ?? (Object.keys(codes) as Code[]).filter((code) => declared.includes(codes[code].status))
  const bodies: readonly Code[] = method === 'get' ? [] : ['body_invalid', 'body_too_large']
  const unwanted: readonly Code[] = method === 'delete' ? ['body_unwanted'] : []
  const parameters: readonly Code[] = path.includes('{') ? ['route_unknown'] : []
  const byStatus = new Map<number, Code[]>()
  for (const code of new Set([...everywhere, ...bodies, ...unwanted, ...parameters, ...particular].toSorted())) {
    const { status } = codes[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return new Map([...byStatus].toSorted(([one], [other]) => one - other))
}
