import { requestQueuePrototype, type RequestQueue } from './kafkajs-internals.ts'

/**
 * kafkajs sets a timer with a negative delay after each answer of a broker, whether or not a request waits: Node prints a
 * warning, and each connection wakes up every millisecond for as long as it lives. Mended, it sets that timer only while
 * something waits; then it computes a delay that is none below zero.
 */

const original = requestQueuePrototype.scheduleCheckPendingRequests

let mended = false

/** For the whole process; doing it again does nothing. */
export function mendRequestQueues(): void {
  if (mended) return
  mended = true
  requestQueuePrototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    if (this.pending.length > 0) original.call(this)
  }
}
