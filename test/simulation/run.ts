import { simulate } from './simulate.ts'

/** `npm run sim -- <seed> [count]`: runs that many seeds from the first one on, and stops at the first that fails. */

const traceTail = 60
const progressMs = 5_000

const wholeTrace = process.argv.includes('--trace')
const [first = 1, count = 1] = process.argv.slice(2).filter((word) => word !== '--trace').map(Number)
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error('Usage: npm run sim -- <seed> [count]')
  process.exit(2)
}

const startedMs = performance.now()
let saidMs = startedMs
for (let seed = first; seed < first + count; seed += 1) {
  const simulated = await simulate(seed)
  const { elapsedMs, options, trace, traceHash, violations } = simulated
  if (wholeTrace) console.log(trace.join('\n'))
  if (violations.length > 0) {
    console.log(JSON.stringify(options, null, 2))
    console.log(trace.slice(-traceTail).join('\n'))
    console.log(`\nseed ${seed} fails:\n${violations.map((violation) => `- ${violation}`).join('\n')}`)
    console.log(`\nRun it again with: npm run sim -- ${seed}`)
    process.exit(1)
  }
  const nowMs = performance.now()
  if (count === 1) {
    console.log(JSON.stringify(options, null, 2))
    console.log(`seed ${seed}: all holds after ${Math.round(elapsedMs)} simulated ms, trace ${traceHash}`)
  } else if (nowMs - saidMs > progressMs) {
    saidMs = nowMs
    const done = seed - first + 1
    console.log(`${done} of ${count} seeds, up to ${seed}, ${((nowMs - startedMs) / done).toFixed(1)} ms each`)
  }
}
if (count > 1) console.log(`${count} seeds from ${first} on: all hold. ${((performance.now() - startedMs) / count).toFixed(1)} ms each.`)
