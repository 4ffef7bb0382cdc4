/** How many connections fit into a limit of descriptors, for the node that keeps to it and for whoever checks a machine. */

/** Descriptors kept free of client connections: log, API, health checks, listeners, and clients being turned away. */
export const descriptorHeadroom = 768
/** A client and its backend. */
export const descriptorsPerConnection = 2

/** None or fewer when the limit is too low to start. */
export function connectionsAllowedBy(descriptorsMax: number): number {
  return Math.floor((descriptorsMax - descriptorHeadroom) / descriptorsPerConnection)
}
