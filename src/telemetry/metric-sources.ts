import type { Stream } from '../../events/define.ts'

/**
 * What the metrics ask the node for when somebody collects them; all else they hear from the channels. Answers that are no
 * promises are taken in one turn of the event loop, so that they fit each other.
 */

export interface MetricSources {
  readonly versions: { readonly node: string; readonly openssl: string; readonly waybill: string }
  readonly connectionsMax: number
  readonly log: LogSource
  /** Null: this node has its log to itself. */
  readonly cluster: ClusterSource | null
  /** Of the configuration. */
  pools(): Iterable<PoolNow>
  /** Backends with open connections, also those that left the configuration; one may come more than once. */
  open(): Iterable<OpenNow>
  listeners(): Iterable<{ readonly listener: string; readonly isUp: boolean }>
  /** Clients whose hello is being read. */
  peeking(): number
  configuration(): { readonly revision: number; readonly isFrozen: boolean }
  /** Descriptors that this process has open; null: the system does not say. */
  openDescriptors(): Promise<number | null>
}

export interface PoolNow {
  readonly name: string
  readonly backends: Iterable<BackendNow>
}

export interface BackendNow {
  readonly id: string
  /** As far as health goes. */
  readonly isUp: boolean
  /** 0 while it drains. */
  readonly weight: number
}

export interface OpenNow {
  readonly pool: string
  readonly backend: string
  readonly connections: number
  /** So far, of these connections. */
  readonly bytesToBackend: number
  readonly bytesToClient: number
}

export interface LogSource {
  isAvailable(stream: Stream): boolean
  /** Calls back, after the fact, whenever that changes. */
  onAvailability(listener: (stream: Stream, isAvailable: boolean) => void): Disposable
  /** Durable records, of all runs. */
  size(stream: Stream): number
  /** Durable records that the live state does not show yet. */
  foldLag(stream: Stream): number
  /** Rejects when the disk does not say. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

export interface ClusterSource {
  backlog(): { readonly records: number; readonly oldestMs: number }
  /** How far this node's clock is ahead of the broker's; null: not measured yet. */
  skewMs(): number | null
  /** When certificates expire, milliseconds since the epoch; null: there is none, or it can't be read. */
  certificateExpiry(certificate: NodeCertificate): Promise<number | null>
}

export const nodeCertificates = ['kafka_ca', 'kafka_client'] as const
export type NodeCertificate = (typeof nodeCertificates)[number]
