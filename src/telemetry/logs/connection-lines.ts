import { connectionClosed, connectionOpened, connectionRefused } from '../../core/channels.ts'
import type { Logger } from '../../core/logger.ts'
import { Guard } from '../guarded.ts'

/**
 * Lines about single clients, for whoever looks for the reason of something at the level debug. At every other level there
 * are none: that is what records are for.
 */
export function listenToConnections(logger: Logger): Disposable {
  const guard = new Guard(logger)
  const listening = new DisposableStack()
  listening.use(guard.listen('writing lines about opened connections', connectionOpened, ({ opened }) => {
    const { backend, connection_id, listener, pool, server_name } = opened
    logger.debug('a connection was opened', { backend, client: opened.client, connection_id, listener, pool, server_name })
  }))
  listening.use(guard.listen('writing lines about closed connections', connectionClosed, ({ closed }) => {
    const { backend, bytes_to_backend, bytes_to_client, close, connection_id, listener, pool } = closed
    logger.debug('a connection was closed', {
      backend, because: close.because, by: close.by, bytes_to_backend, bytes_to_client, connection_id, listener, phase: close.phase, pool,
    })
  }))
  listening.use(guard.listen('writing lines about refused clients', connectionRefused, ({ because, listener, pool, record }) => {
    // A flood makes no more lines than it makes records.
    if (record !== null) logger.debug('a client was refused', { because, client: record.refused.client, listener, pool, record: record.id })
  }))
  return listening
}
