import { readOtelSettings } from '../../config/otel.ts'
import { SettingsInForce } from '../../config/settings-in-force.ts'
import { sleep } from '../../core/clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { systemClock } from '../../core/system/clock.ts'
import { TemporaryFolder } from '../../core/system/temporary-folder.ts'
import { startNode } from '../node.ts'
import { recordsOfServer } from '../server-records.ts'
import { callServer } from '../verb.ts'
import { startDemoBackend } from './backend.ts'
import { tell } from './story.ts'

/** The demonstration: a whole proxy with two backends on free ports, shown at work, and gone again. */

const serverName = 'app.demo.example'
const folderPrefix = 'waybill-demo-'

/** Takes free ports and a temporary folder, and gives both back however it ends. False when it was interrupted. */
export async function runDemo(say: (line?: string) => void): Promise<boolean> {
  let completed: boolean
  {
    using interrupted = interruption()
    using folder = new TemporaryFolder(folderPrefix)
    await using first = await startDemoBackend('A', serverName)
    await using second = await startDemoBackend('B', serverName)
    const flags = { api: '127.0.0.1:0', data: folder.path, listen: '127.0.0.1:0' }
    const node = await startNode({ declaration: null, inForce: new SettingsInForce(flags, null, {}) }, silentLogger, readOtelSettings({}))
    await using _node = { [Symbol.asyncDispose]: async () => void (await node.stop(AbortSignal.abort())) }
    say(`Backends A (127.0.0.1:${first.port}) and B (127.0.0.1:${second.port}) have throw-away certificates for ${serverName}.`)
    say(`Waybill takes clients on ${node.listen} and API calls on ${node.api}; its log is in ${folder.path}.`)
    say()
    const target = { api: node.api }
    completed = await tell({
      backends: [first, second],
      call: async (method, path, body) => (await callServer(target, 'show anything', method, path, body)).body,
      isOver: () => interrupted.asked,
      pause: (ms) => sleep(systemClock, ms),
      port: Number(node.listen.slice(node.listen.lastIndexOf(':') + 1)),
      records: async (stream) => (await Array.fromAsync(recordsOfServer(target, { stream }))).map(String),
      say,
      serverName,
    })
  }
  say(`${completed ? 'That is all.' : 'Interrupted.'} Everything is stopped and removed again. Next: npm start, and the first pool of the README.`)
  return completed
}

/** Ctrl-C ends the demonstration between two steps, so that what it started is ended too. */
function interruption(): Disposable & { readonly asked: boolean } {
  let asked = false
  const ask = (): void => {
    asked = true
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, ask)
  return {
    get asked() {
      return asked
    },
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, ask)
    },
  }
}
