/** Bounds of the API's HTTP servers, on loopback and on the socket alike, with their reasons. */

/** A control record holds 60,000 bytes; no command that fits one needs a larger body. */
export const bodyBytesMax = 65_536
/** The API and the data path share one descriptor limit; people and scripts need few connections. */
export const connectionsMax = 256
/** A client that sends its headers this slowly is not one of ours. */
export const headersTimeoutMs = 10_000
/** From the first byte to the last one of a request; bodies are small. */
export const requestTimeoutMs = 30_000
/** How long a connection may wait for its next request. */
export const keepAliveTimeoutMs = 10_000
/** How often Node looks for connections past these times. */
const connectionsCheckingIntervalMs = 5_000

export const serverOptions = {
  requestTimeout: requestTimeoutMs,
  keepAliveTimeout: keepAliveTimeoutMs,
  http: {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: connectionsCheckingIntervalMs,
  },
} as const
