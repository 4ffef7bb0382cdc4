/** The output of `waybill demo` with everything masked that is different each time: what a document may show of it. */
export function maskedDemo(output: string): string {
  return output
    .replaceAll(/\b127\.0\.0\.1:[0-9]+/g, '127.0.0.1:PORT')
    .replaceAll(/\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/g, 'TIME')
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/its log is in \S+\./g, 'its log is in FOLDER.')
    // Signatures in a handshake are a byte longer or shorter.
    .replaceAll(/\b[0-9]+ bytes/g, 'N bytes')
}

/** What stands between the two `<!-- demo -->` lines of a document, without the fence; null when there are none. */
export function demoBlock(document: string): string | null {
  const match = /<!-- demo -->\n+```\w*\n([\s\S]*?)```\n+<!-- demo -->/.exec(document)
  return match?.[1] ?? null
}
