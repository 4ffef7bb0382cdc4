import { parseArgs } from 'node:util'
import { compare, hellosMax } from './differential.ts'

/**
 * `npm run differential -- [--seed N] [--count N]`: fresh hellos of real clients through nginx, HAProxy and Waybill. Exit 0:
 * Waybill sent and recorded every one of them as it should; 1: it did not; 2: wrong options.
 */

const hellosDefault = 200
const seedMax = 0xffff_ffff
const usage = `npm run differential -- [options]
  --seed N     repeats the names, orders and cuts of that run (default: a new one, which is printed)
  --count N    hellos to catch, 1 to ${hellosMax}; each becomes some twenty cases (default ${hellosDefault})`

async function main(args: readonly string[]): Promise<number> {
  let options: { seed: number; hellos: number }
  try {
    const { values } = parseArgs({ args: [...args], options: { seed: { type: 'string' }, count: { type: 'string' } } })
    options = {
      seed: whole('--seed', values.seed, Math.floor(Math.random() * seedMax), 0, seedMax),
      hellos: whole('--count', values.count, hellosDefault, 1, hellosMax),
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`)
    return 2
  }
  const { detail, summary, faults, examples } = await compare({ ...options, say })
  say(`\n${detail}\n\n${summary}\n`)
  for (const example of examples) say(`for example ${example}`)
  for (const fault of faults) say(`FAULT ${fault}`)
  if (faults.length === 0) say('Waybill: every case where it belongs, and on record as it was')
  else say(`Run it again with: npm run differential -- --seed ${options.seed} --count ${options.hellos}`)
  return faults.length === 0 ? 0 : 1
}

function whole(flag: string, text: string | undefined, otherwise: number, least: number, most: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new Error(`${flag}: "${text}" is not a whole number from ${least} to ${most}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main(process.argv.slice(2))
