import { readFileSync } from 'node:fs'
import { cpuSecondsOfTree } from './process-figures.ts'
import { Line, type Bench, type Measure } from './measure.ts'
import type { Target } from './targets.ts'

/**
 * New connections, many at a time: connect, hello, 100 bytes back, FIN both ways. On few cores the rate also says what
 * client and backend cost, so read the proxy's CPU time first.
 */

const connectionMicrosecondsRatioMax = 3
/**
 * Whoever does more connections a second pays less for each: sleeping and being woken cost as much as the work. So the
 * price is asked at the same rate as well, one that every target can keep.
 */
const pacedPerSecond = 2_000
const pacedSeconds = 3

export const connections: Measure = {
  name: 'connections',
  metrics: [
    { key: 'connections.rate', label: 'new connections/s at 64 in parallel', digits: 0, ratio: true },
    {
      key: 'connections.cpu',
      label: 'new connection, proxy CPU µs',
      digits: 1,
      ratio: true,
      aim: {
        text: 'at most 3 × HAProxy',
        met: (_value, ratio) => ratio !== null && ratio <= connectionMicrosecondsRatioMax,
      },
    },
    {
      key: 'connections.paced.cpu',
      label: `new connection at ${pacedPerSecond}/s for all, proxy CPU µs`,
      digits: 1,
      ratio: true,
      aim: {
        text: 'at most 3 × HAProxy',
        met: (_value, ratio) => ratio !== null && ratio <= connectionMicrosecondsRatioMax,
      },
    },
    { key: 'connections.client', label: '… client CPU µs (the load generator)', digits: 1, ratio: false },
    { key: 'connections.backend', label: '… backend CPU µs', digits: 1, ratio: false },
  ],
  run: async (bench) => {
    expectPorts(bench.options.connections + bench.options.warmUpConnections)
    for (const target of bench.targets) await bench.attempt(target.name, () => one(bench, target))
  },
}

async function one(bench: Bench, target: Target): Promise<void> {
  const { connections: count, parallel, warmUpConnections } = bench.options
  await using line = await Line.open(bench, target)
  await line.short(warmUpConnections, parallel)
  const processes = { cpu: line.proxy.pid, client: line.client.pid, backend: line.backend.pid }
  const look = (): Map<string, number> =>
    new Map(
      Object.entries(processes).flatMap(([name, pid]) => (pid === null ? [] : [[name, cpuSecondsOfTree(pid)] as const])),
    )
  const before = look()
  const { seconds } = await line.short(count, parallel)
  bench.record(target.name, 'connections.rate', count / seconds)
  for (const [name, cpuSeconds] of look()) {
    bench.record(target.name, `connections.${name}`, ((cpuSeconds - before.get(name)!) * 1e6) / count)
  }
  const pacedBefore = processes.cpu === null ? 0 : cpuSecondsOfTree(processes.cpu)
  await line.paced(pacedPerSecond * pacedSeconds, pacedPerSecond)
  if (processes.cpu !== null) {
    const cpuSeconds = cpuSecondsOfTree(processes.cpu) - pacedBefore
    bench.record(target.name, 'connections.paced.cpu', (cpuSeconds * 1e6) / (pacedPerSecond * pacedSeconds))
  }
  await line.finish()
}

/** Every target gets new ports, so TIME_WAIT can use up the local ports only within one run; this says so before. */
function expectPorts(needed: number): void {
  const [low, high] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').trim().split(/\s+/).map(Number)
  const ports = high! - low! + 1
  if (needed <= ports * 0.95) return
  throw new Error(`${needed} connections of one run need more local ports than the ${ports} there are: lower --connections`)
}
