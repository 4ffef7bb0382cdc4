import type { Command } from 'commander'
import { join } from 'node:path'
import { socketName } from '../../api/socket.ts'
import { settingKeys, type FlagTexts, type Settings } from '../../config/settings.ts'
import { formatEndpoint, isUnspecified } from '../../core/endpoint.ts'
import { Fault } from '../../core/errors.ts'
import type { Endpoint } from '../../core/network.ts'
import { descriptorsMax } from '../../core/system/descriptors.ts'
import { systemDisk } from '../../core/system/disk.ts'
import { systemText } from '../../core/system/folder-facts.ts'
import { SystemNetwork } from '../../core/system/network.ts'
import { call, type Server } from '../api-client.ts'
import { connectionsAllowedBy } from '../descriptor-room.ts'
import { readCall } from '../declare.ts'
import { exitCodes } from '../exit-codes.ts'
import { printing, type Output } from '../output.ts'
import { printable } from '../../core/printable.ts'
import { settingOption } from '../setting-options.ts'
import { tinted, type Tone } from '../table.ts'
import { plainVerb, systemExit, systemPorts, type ExitPort, type VerbPorts } from '../verb.ts'
import { problem, ok, type Finding, type Level } from './finding.ts'
import { checkFolder, checkLog, checkSocketPath, checkSync } from './folder-checks.ts'
import { checkBackends, checkPort } from './network-checks.ts'
import { checkClock, checkDescriptors, checkNode } from './process-checks.ts'
import { backendsIn, checkAnswers, checkListeners, checkServer, listenersOf, poolsOf } from './server-checks.ts'

/** `waybill doctor`: looks at what a server needs, and says what to do. Changes nothing but for a file that it measures with. */

export interface DoctorPorts extends ExitPort, VerbPorts {}

const systemDoctorPorts: DoctorPorts = { ...systemPorts, ...systemExit }

type DoctorOptions = FlagTexts & { readonly json: boolean }

export function doctorCommand(ports: DoctorPorts = systemDoctorPorts): Command {
  const command = plainVerb('doctor', 'Check this machine, the data folder, the ports and a running server, and say what to do', [
    'waybill doctor --data /var/lib/waybill',
    'waybill doctor --json | jq \'select(.level != "ok")\'',
  ]).option('--json', 'one JSON object a line, for programs', false)
  for (const key of settingKeys) command.addOption(settingOption(key))
  return command.action(async ({ json, ...flags }: DoctorOptions) => {
    let problems = 0
    await printing(ports.stdout, json, async (output) => {
      for await (const finding of findings(ports, flags)) {
        if (finding.level === 'problem') problems += 1
        await show(output, finding)
      }
    })
    if (problems > 0) ports.exit(exitCodes.failed)
  })
}

/** As they are made, so that a slow one keeps nobody waiting for the others. */
async function* findings(ports: DoctorPorts, flags: FlagTexts): AsyncGenerator<Finding> {
  const { clock } = ports
  yield checkNode(process.versions.node)
  yield checkClock(clock.now(), await timeServices())
  let settings: Settings
  try {
    ;({ settings } = (await readCall(flags, systemDisk)).inForce)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    yield problem('settings', error.message, 'Correct them; the other checks need valid settings.')
    return
  }
  yield ok('settings', 'All flags, variables and files are valid.')
  const descriptors = descriptorsMax()
  yield checkDescriptors(descriptors, connectionsAllowedBy(descriptors), settings)
  yield* await checkFolder(settings, process.getuid?.() ?? null)
  yield checkSocketPath(settings)
  yield await checkSync(settings, systemDisk, clock, process.pid)
  yield* serverAndNetwork(ports, settings)
}

async function* serverAndNetwork({ clock }: DoctorPorts, settings: Settings): AsyncGenerator<Finding> {
  const network = await SystemNetwork.create()
  const server: Server = { socketPath: join(settings.data, socketName) }
  const answer = await checkServer(server)
  const ours = new Set<string>()
  let pools: Awaited<ReturnType<typeof poolsOf>> = []
  if (answer === null) yield await checkLog(settings, systemDisk, clock, process.pid)
  else {
    yield answer
    const listeners = await listenersOf(server)
    pools = await poolsOf(server)
    for (const { address } of listeners) if (address !== null) ours.add(address)
    for (const endpoint of [settings.api, settings.ops]) {
      if (endpoint !== null && (await answersAt(endpoint))) ours.add(formatEndpoint(endpoint))
    }
    yield* checkListeners(listeners)
    yield* checkAnswers(listeners, pools)
  }
  yield await checkPort(network, 'listen', settings.listen, ours)
  yield await checkPort(network, 'api', settings.api, ours)
  if (settings.ops !== null) yield await checkPort(network, 'ops', settings.ops, ours)
  if (answer !== null) yield* await checkBackends(network, clock, backendsIn(pools))
}

/** Whether a Waybill answers where one of ours is configured to: it is ours, as it holds the folder. */
async function answersAt({ ip, port }: Endpoint): Promise<boolean> {
  const reached = isUnspecified(ip) ? '127.0.0.1' : ip
  try {
    return (await call({ url: new URL(`http://${formatEndpoint({ ip: reached, port })}`) }, 'GET', '/health/live')) !== null
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

/** Files that time services keep while they run; there is no portable way to ask the kernel from here. */
async function timeServices(): Promise<Parameters<typeof checkClock>[1]> {
  const [timesyncd, chronyd, ntpd] = await Promise.all(
    ['/run/systemd/timesync/synchronized', '/run/chrony/chronyd.pid', '/run/ntpd.pid'].map(async (path) => (await systemText(path)) !== null),
  )
  return { chronyd: chronyd!, ntpd: ntpd!, timesyncd: timesyncd! }
}

const tones: Readonly<Record<Level, Tone>> = { ok: 'good', problem: 'bad', unknown: 'plain', warning: 'warn' }
const levelWidth = 'warning'.length

async function show(output: Output, finding: Finding): Promise<void> {
  if (output.json) return output.object(finding)
  const { action, level, sentence } = finding
  const lines = sentence.split('\n').map(printable)
  const indent = ' '.repeat(levelWidth + 2)
  await output.text(`${tinted(output.stream, level.padEnd(levelWidth), tones[level])}  ${lines.join(`\n${indent}`)}`)
  if (action !== null) await output.text(`${indent}-> ${printable(action)}`)
}
