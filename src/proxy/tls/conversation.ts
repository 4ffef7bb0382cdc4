/** What both directions of one handshake have shown so far: written by their two readers, and read by each of the other. */
import { tlsAlertsRecordedMax } from '../../../events/tls.ts'
import type { Group } from './key-exchange.ts'

export interface TlsAlert {
  readonly by: 'backend' | 'client' | 'proxy'
  /** The description byte; the level means nothing any more (RFC 8446, section 6). */
  readonly code: number
}

export const recordTypes = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23, heartbeat: 24 } as const

/** RFC 5246, section 6.2.3: what encryption may add to a record of `recordBytesMax`. */
export const recordExpansionBytesMax = 2_048

const alertRecordBytes = 2

/** Whether this record is an alert of the RFCs' one form (RFC 8446, section 5.1: one to a record, never split). */
export function isAlertRecord(type: number, length: number): boolean {
  return type === recordTypes.alert && length === alertRecordBytes
}

/** Whether a record may stand here at all, once it is known that TLS is spoken. */
export function isRecordType(type: number): boolean {
  return type >= recordTypes.changeCipherSpec && type <= recordTypes.heartbeat
}

export class Conversation {
  version: number | null = null
  cipher: number | null = null
  group: Group | null = null
  helloRetryRequest = false
  resumed: boolean | null = null
  readonly alerts: TlsAlert[] = []
  /** The real ServerHello, not a HelloRetryRequest, was read. */
  helloRead = false
  /** Records as in TLS 1.3: whatever is encrypted is application data from outside, and ChangeCipherSpec means nothing. */
  modern = false
  /** What the side sends now is encrypted. */
  backendProtected = false
  clientProtected = false
  /** TLS 1.2 and before: the side sent a handshake record after it began to encrypt, which can only be its Finished. */
  backendFinished = false
  clientFinished = false
  /** Both sides have finished, as far as can be seen from outside. */
  complete = false
  /** Nothing more is wanted of either side. */
  over = false

  alert(by: TlsAlert['by'], code: number): void {
    // A warning that is tolerated, and a fatal one from each side: more say nothing new.
    if (this.alerts.length < tlsAlertsRecordedMax) this.alerts.push({ by, code })
  }

  /** In the place of an earlier one where there is no room. */
  lastAlert(by: TlsAlert['by'], code: number): void {
    this.alerts.splice(tlsAlertsRecordedMax - 1)
    this.alerts.push({ by, code })
  }

  /** Called when a handshake record of a side that encrypts has passed. TLS 1.3 has none that would look so from outside. */
  finished(by: 'backend' | 'client'): void {
    if (this.modern) return
    if (by === 'backend') this.backendFinished = true
    else this.clientFinished = true
    if (this.backendFinished && this.clientFinished) this.completed()
  }

  completed(): void {
    this.complete = true
    this.over = true
  }
}
