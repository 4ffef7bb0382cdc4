import type { Pool } from '../../projections/routing.ts'
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { openDescriptors } from '../core/system/descriptors.ts'
import type { Live } from '../live/live.ts'
import type { DataPathNow, ListenersNow, OpenCounters } from '../live/node-view.ts'
import { isClusterLog, type ClusterLog } from '../log/cluster-log.ts'
import type { EventLog } from '../log/event-log.ts'
import { recordsBetween } from '../log/recent-records.ts'
import type { BackendNow, ClusterSource, LogSource, MetricSources, PoolNow } from '../telemetry/metric-sources.ts'
import { CertificateExpiry } from './certificate-expiry.ts'

/** A running node as the metrics see it. */

export interface MeasuredNode {
  readonly clock: Clock
  readonly disk: Pick<Disk, 'openToRead' | 'space'>
  readonly live: Pick<Live, 'frozen' | 'position' | 'routing'>
  readonly log: EventLog
  readonly proxy: DataPathNow & ListenersNow & Pick<OpenCounters, 'healthOf'>
  readonly versions: MetricSources['versions']
}

export function metricSourcesOf(
  { clock, disk, live, log, proxy, versions }: MeasuredNode,
  settings: Pick<Settings, 'data' | 'kafkaCa' | 'kafkaCert'>,
): MetricSources {
  return {
    versions,
    connectionsMax: proxy.connectionsMax,
    log: logSource(log, live, () => disk.space(settings.data)),
    cluster: isClusterLog(log) ? clusterSource(log, clock, disk, settings) : null,
    pools: () => poolsOf(live.routing.pools.values(), proxy),
    open: () => proxy.openOnBackends(),
    listeners: () => proxy.listeners.map(({ listener, state }) => ({ isUp: state === 'bound', listener })),
    peeking: () => proxy.peeking,
    configuration: () => ({ isFrozen: live.frozen !== null, revision: live.routing.revision }),
    openDescriptors,
  }
}

function* poolsOf(pools: Iterable<Pool>, proxy: MeasuredNode['proxy']): Iterable<PoolNow> {
  for (const { backends, name } of pools) yield { backends: backendsOf(name, backends, proxy), name }
}

function* backendsOf(pool: string, backends: Pool['backends'], proxy: MeasuredNode['proxy']): Iterable<BackendNow> {
  for (const { drainingSince, id, weight } of backends.values()) {
    yield { id, isUp: proxy.healthOf(pool, id).state !== 'down', weight: drainingSince === null ? weight : 0 }
  }
}

function logSource(log: EventLog, live: MeasuredNode['live'], space: LogSource['space']): LogSource {
  return {
    isAvailable: (stream) => log.availability(stream).available,
    onAvailability: (listener) => log.onAvailability((stream, { available }) => listener(stream, available)),
    size: (stream) => recordsBetween(null, log.head(stream)),
    foldLag: (stream) => recordsBetween(live.position(stream), log.head(stream)),
    space,
  }
}

function clusterSource(
  log: ClusterLog, clock: Clock, disk: MeasuredNode['disk'], { kafkaCa, kafkaCert }: Pick<Settings, 'kafkaCa' | 'kafkaCert'>,
): ClusterSource {
  const expiryOf = (setting: string, path: string | null): CertificateExpiry | null =>
    path === null ? null : new CertificateExpiry(clock, disk, { path, setting })
  const certificates = { kafka_ca: expiryOf('kafka_ca', kafkaCa), kafka_client: expiryOf('kafka_cert', kafkaCert) }
  return {
    backlog: () => log.backlog(),
    skewMs: () => log.brokerClock.skewMs,
    certificateExpiry: async (certificate) => (await certificates[certificate]?.ms()) ?? null,
  }
}
