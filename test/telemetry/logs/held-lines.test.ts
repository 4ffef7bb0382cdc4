import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeldLines } from '../../../src/telemetry/logs/held-lines.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/** A pipe of that many bytes: takes what fits, and no more until somebody reads. */
class Pipe {
  room: number
  text = ''
  failure: Error | null = null
  constructor(room: number) {
    this.room = room
  }
  write(bytes: Uint8Array): number {
    if (this.failure !== null) throw this.failure
    const taken = bytes.subarray(0, this.room)
    this.room -= taken.length
    this.text += Buffer.from(taken).toString('latin1')
    return taken.length
  }
}

function held(room: number, holdUp: (pipe: Pipe) => void = () => {}) {
  const pipe = new Pipe(room)
  const clock = new ManualClock(0)
  let heldUpMs = 0
  const lines = new HeldLines({
    clock,
    sink: pipe,
    holdUp: (ms) => {
      heldUpMs += ms
      holdUp(pipe)
    },
    onLost: (count) => lines.write(`lost ${count}\n`),
  })
  return { clock, lines, pipe, heldUpMs: () => heldUpMs }
}

const kilobyte = `${'x'.repeat(1_023)}\n`

test('a line is written on the spot while somebody reads', () => {
  const { lines, pipe } = held(100)
  lines.write('one\n')
  expect(pipe.text).toBe('one\n')
})

test('what a full pipe does not take waits, in order, and the lines behind it too', () => {
  const { clock, lines, pipe } = held(6)
  for (const line of ['one\n', 'two\n', 'three\n']) lines.write(line)
  expect(pipe.text).toBe('one\ntw')
  pipe.room = 1_000
  clock.advance(50)
  expect(pipe.text).toBe('one\ntwo\nthree\n')
  lines.write('four\n')
  expect(pipe.text).toMatch(/four\n$/)
})

test('a bounded number of bytes waits; the oldest are lost, and counted in one line in their place', () => {
  const { clock, lines, pipe } = held(2)
  for (let number = 0; number < 3_000; number += 1) lines.write(`${number}`.padEnd(1_023).concat('\n'))
  pipe.room = Infinity
  clock.advance(50)
  const found = pipe.text.split('\n').map((line) => line.trim())
  expect(found.slice(0, 4)).toEqual(['0', 'lost 2064', '2065', '2066'])
  expect(found.slice(-2)).toEqual(['2999', ''])
  expect(found).toHaveLength(3_000 - 2_064 + 2)
})

test('with a reader that is slow for good, each gap has its count', () => {
  const { clock, lines, pipe } = held(0)
  for (let index = 0; index < 1_030; index += 1) lines.write(kilobyte)
  pipe.room = 600 * 1_024
  clock.advance(50)
  for (let index = 0; index < 900; index += 1) lines.write(kilobyte)
  pipe.room = Infinity
  clock.advance(50)
  const marks = pipe.text.split('\n').flatMap((line, index) => (line.startsWith('lost') ? [`${line} at ${index}`] : []))
  expect(marks).toEqual(['lost 129 at 1', 'lost 258 at 601'])
})

test('the newest line is never the one that is lost', () => {
  const { clock, lines, pipe } = held(0)
  for (const name of ['a', 'b', 'c', 'd']) lines.write(`${name.repeat(600_000)}\n`)
  pipe.room = Infinity
  clock.advance(50)
  expect(pipe.text.split('\n').map((line) => line.slice(0, 6))).toEqual(['aaaaaa', 'lost 2', 'dddddd', ''])
})

test('a line longer than what may wait is written all the same', () => {
  const { clock, lines, pipe } = held(10)
  lines.write('y'.repeat(2_000_000))
  pipe.room = Infinity
  clock.advance(50)
  expect(pipe.text).toHaveLength(2_000_000)
})

test('a count that is not taken either is counted on', () => {
  const { lines, pipe } = held(Infinity)
  const failure = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  pipe.failure = failure
  lines.write('gone\n')
  lines.write('gone\n')
  pipe.failure = null
  const write = pipe.write.bind(pipe)
  pipe.write = (bytes) => {
    // The one before the count is taken.
    if (Buffer.from(bytes).toString() !== 'here\n') throw failure
    return write(bytes)
  }
  lines.write('here\n')
  pipe.write = write
  lines.write('again\n')
  expect(pipe.text).toBe('here\nagain\nlost 2\n')
})

test('where nobody reads any more, or a disk is full, lines are lost and counted, and none is torn', () => {
  const { lines, pipe } = held(Infinity)
  pipe.failure = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  for (let index = 0; index < 10; index += 1) lines.write('gone\n')
  pipe.failure = null
  lines.write('here\n')
  expect(pipe.text).toBe('here\nlost 10\n')
})

test('a line that was given up in its middle is ended before the next one', () => {
  const { clock, lines, pipe } = held(4)
  lines.write('abcdefgh\n')
  pipe.failure = Object.assign(new Error('no space'), { code: 'ENOSPC' })
  clock.advance(50)
  pipe.failure = null
  pipe.room = Infinity
  lines.write('next\n')
  expect(pipe.text).toBe('abcd\nnext\nlost 1\n')
})

test('an end waits for a reader that reads on', () => {
  const { lines, pipe } = held(0, (slow) => (slow.room += 2))
  lines.write('the last words\n')
  lines.flush()
  expect(pipe.text).toBe('the last words\n')
})

test('an end waits for nobody longer than a second', () => {
  const { heldUpMs, lines, pipe } = held(0)
  lines.write('the last words\n')
  lines.flush()
  expect(pipe.text).toBe('')
  expect(heldUpMs()).toBe(1_000)
})

test('a flush with nothing to write holds up nobody', () => {
  const { heldUpMs, lines } = held(1_000)
  lines.write('written\n')
  lines.flush()
  expect(heldUpMs()).toBe(0)
})

test('property: every line is written whole and in order, or counted as lost', () => {
  const step = fc.oneof(
    fc.record({ write: fc.integer({ min: 1, max: 300_000 }) }),
    fc.record({ read: fc.integer({ min: 0, max: 400_000 }) }),
    fc.record({ failing: fc.boolean() }),
  )
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { clock, lines, pipe } = held(0)
    let written = 0
    for (const next of steps) {
      if ('write' in next) lines.write(`${written++} ${'y'.repeat(next.write)} end\n`)
      else if ('read' in next) pipe.room += next.read
      else pipe.failure = next.failing ? new Error('EIO') : null
      clock.advance(50)
    }
    pipe.failure = null
    pipe.room = Infinity
    clock.advance(50)
    lines.write('final\n')
    clock.advance(50)
    const found = pipe.text.split('\n').slice(0, -1)
    const whole = found.filter((line) => line.endsWith(' end')).map((line) => Number(line.split(' ')[0]))
    const lost = found.filter((line) => line.startsWith('lost ')).map((line) => Number(line.slice(5)))
    expect(whole).toEqual(whole.toSorted((one, other) => one - other))
    expect(whole.length + lost.reduce((sum, count) => sum + count, 0)).toBe(written)
    expect(found).toContain('final')
  }))
})
