import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hello, microtasks, pattern, Stand } from '../../support/link-stand.ts'

/** Every order of events that can be thought of, against what must hold in all of them. */

type Deed = { readonly who: 'backend' | 'client'; readonly what: 'end' | 'read' | 'reset' | 'send'; readonly size: number }
type Choice = { readonly kind: 'deed'; readonly deed: Deed } | { readonly kind: 'step'; readonly index: number } | { readonly kind: 'time'; readonly ms: number } | { readonly kind: 'permit'; readonly answer: 'go' | 'refuse' }

const choices = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('step' as const), index: fc.nat(9) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('deed' as const),
        deed: fc.record({
          who: fc.constantFrom('client' as const, 'backend' as const),
          what: fc.constantFrom(...(['send', 'send', 'send', 'read', 'read', 'end', 'reset'] as const)),
          size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 16_000, max: 20_000 })),
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 9_000 }) }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'permit' as const, answer: 'go' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'permit' as const, answer: 'refuse' as const }) },
  ) satisfies fc.Arbitrary<Choice>,
  { maxLength: 70 },
)

test('whatever the order of bytes, FIN, RST, pauses and time: nothing early, nothing lost unsaid, nothing twice', async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.nat(hello.length), fc.constantFrom('fresh', 'holding', 'relaying'), async (script, splitAt, from) => {
      const stand = await new Stand().start()
      stand.client.peerSends(hello.subarray(0, splitAt))
      stand.client.peerSends(hello.subarray(splitAt))
      if (from === 'relaying') stand.permit.resolve('go')
      if (from !== 'fresh') await stand.settle()
      const sent = { client: [hello] as Buffer[], backend: [] as Buffer[] }
      for (const choice of script) {
        act(stand, choice, sent)
        await microtasks()
        check(stand, sent)
      }
      // Nothing more is said, everything is read, and all timeouts pass.
      stand.permit.resolve('refuse')
      await stand.settle()
      for (const socket of stand.network.sockets) socket.peerReads(1e9)
      await stand.settle()
      for (let turn = 0; turn < 100; turn += 1) stand.clock.advance(1_000)
      await stand.settle()
      check(stand, sent)
      expect(stand.closed).not.toBeNull()
      expect(stand.engine.links).toBe(0)
      expect(stand.network.sockets.every(({ state }) => state === 'closed')).toBe(true)
    }),
    { numRuns: 400 },
  )
}, 60_000)

function act(stand: Stand, choice: Choice, sent: Record<'backend' | 'client', Buffer[]>): void {
  if (choice.kind === 'step') {
    const steps = stand.network.steps()
    if (steps.length > 0) steps[choice.index % steps.length]!()
  } else if (choice.kind === 'time') stand.clock.advance(choice.ms)
  else if (choice.kind === 'permit') stand.permit.resolve(choice.answer)
  else {
    const { who, what, size } = choice.deed
    const socket = stand[who]
    if (socket === undefined || socket.state === 'dialling' || socket.peerSentReset) return
    if (what === 'read') socket.peerReads(size)
    else if (what === 'reset') socket.peerResets()
    else if (socket.peerSentFin) return
    else if (what === 'end') socket.peerEnds()
    else {
      const bytes = pattern(size, socket.peerSent)
      socket.peerSends(bytes)
      sent[who].push(bytes)
    }
  }
}

function check(stand: Stand, sent: Record<'backend' | 'client', Buffer[]>): void {
  if (stand.failure !== null) throw stand.failure
  const { client, backend, closed, went } = stand
  if (backend !== undefined) {
    if (!went) expect(backend.peerGot).toEqual([])
    isPrefix(backend.peerGot, sent.client)
    if (backend.peerGotFin) {
      expect(client.peerSentFin).toBe(true)
      expect(backend.peerGot.length).toBe(client.peerSent)
    }
  }
  isPrefix(client.peerGot, sent.backend)
  if (went && client.peerGotFin) {
    expect(backend!.peerSentFin).toBe(true)
    expect(client.peerGot.length).toBe(backend!.peerSent)
  }
  if (closed === null || !went) return
  expect(closed.bytesToBackend).toBeLessThanOrEqual(backend!.peerGot.length)
  expect(closed.bytesToClient).toBeLessThanOrEqual(client.peerGot.length)
  if (closed.exact) {
    expect(closed.bytesToBackend).toBe(backend!.peerGot.length)
    expect(closed.bytesToClient).toBe(client.peerGot.length)
  }
  if (closed.because === 'finished') expect(client.peerGot.length).toBe(backend!.peerSent)
}

function isPrefix(got: readonly number[], sent: readonly Buffer[]): void {
  if (got.length === 0) return
  const whole = Buffer.concat(sent)
  if (!whole.subarray(0, got.length).equals(Buffer.from(got))) throw new Error('the bytes that arrived are not those that were sent')
}
