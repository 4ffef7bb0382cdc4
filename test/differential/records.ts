/** Holds what Waybill put on record against what the clients were told and where they got to. */
import { rawRecords, type RawRecord } from '../support/waybill.ts'
import type { Case } from './cases.ts'
import { refused, type Place } from './hellos.ts'

export interface Met {
  readonly case: Case
  /** The client's own address: no other case has it. */
  readonly address: string
  readonly place: Place
}

/** One line for every difference. `data`: the folder of a Waybill that has ended. */
export function differencesOnRecord(data: string, met: readonly Met[]): readonly string[] {
  const byAddress = new Map<string, RawRecord[]>()
  let refusals = 0
  for (const record of rawRecords(data, 'connections')) {
    const address = (record.data['client'] as { ip: string } | null)?.ip
    if (address !== undefined) byAddress.set(address, [...(byAddress.get(address) ?? []), record])
    if (record.type === 'dev.waybill.connection.refused.v1') refusals += record.data['count'] as number
  }
  const expected = met.filter(({ place }) => place === refused).length
  return [
    ...met.flatMap((one) => differencesOf(one, byAddress.get(one.address) ?? [])),
    ...fingerprintsThatDiffer(met, byAddress),
    ...(refusals === expected ? [] : [`${expected} clients were refused, and ${refusals} are on record`]),
  ]
}

function differencesOf(met: Met, records: readonly RawRecord[]): readonly string[] {
  const differences = met.place === refused ? ofRefused(met, records) : ofRouted(met, records)
  return differences.map((difference) => `${met.case.group}, ${met.case.what}, ${met.case.hello.client}: ${difference}`)
}

/** A refusal above the rate that is recorded one by one is only counted. */
function ofRefused({ case: { recorded } }: Met, records: readonly RawRecord[]): readonly string[] {
  if (!('because' in recorded) || records.length === 0) return []
  return unequal('reasons', records.map(({ data }) => data['because'] as unknown), [recorded.because])
}

function ofRouted({ case: { recorded }, place }: Met, records: readonly RawRecord[]): readonly string[] {
  if ('because' in recorded) return []
  const types = records.map(({ type }) => type)
  const wrong = unequal('records', types, ['dev.waybill.connection.opened.v1', 'dev.waybill.connection.closed.v1'])
  const opened = records[0]?.data
  if (wrong.length > 0 || opened === undefined) return wrong
  return [
    ...unequal('pool', opened['pool'], place),
    ...unequal('server name', opened['server_name'], recorded.serverName),
    ...unequal('ALPN', opened['alpn'], recorded.alpn),
    ...unequal('encrypted', opened['encrypted'], true),
    ...unequal('versions', (opened['tls_versions'] as string[]).toSorted(), recorded.tlsVersions.toSorted()),
  ]
}

/** However a hello is cut, its client is the same. */
function fingerprintsThatDiffer(met: readonly Met[], byAddress: ReadonlyMap<string, readonly RawRecord[]>): readonly string[] {
  const unchanged = met.filter(({ case: { group }, place }) => place !== refused && (group === 'real clients' || group === 'cut anew'))
  return Array.from(Map.groupBy(unchanged, (one) => one.case.hello), ([hello, cases]) => {
    const ja4s = new Set(cases.map(({ address }) => byAddress.get(address)?.[0]?.data['ja4'] as unknown))
    return ja4s.size === 1 ? [] : [`a hello of ${hello.client} has more than one JA4 on record: ${[...ja4s].join(', ')}`]
  }).flat()
}

function unequal(what: string, recorded: unknown, told: unknown): readonly string[] {
  const [left, right] = [JSON.stringify(recorded), JSON.stringify(told)]
  return left === right ? [] : [`${what} on record ${left}, expected ${right}`]
}
