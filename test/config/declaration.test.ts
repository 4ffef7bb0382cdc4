import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { declarationBytesMax, problemLines, readDeclaration, type Declaration } from '../../src/config/declaration.ts'
import { SettingsInForce } from '../../src/config/settings-in-force.ts'

const file = '/etc/waybill/waybill.yaml'

function read(text: string): Declaration {
  const reading = readDeclaration(Buffer.from(text), file)
  if ('problems' in reading) throw new Error(problemLines(file, reading.problems))
  return reading.declaration
}

/** `line:column: sentence` of every problem. */
function problems(text: string | Uint8Array): string[] {
  const reading = readDeclaration(typeof text === 'string' ? Buffer.from(text) : text, file)
  if ('declaration' in reading) throw new Error('the file was taken')
  return problemLines(file, reading.problems).split('\n').map((line) => line.slice(file.length + 1))
}

const whole = `# What serves payments.
change: {ticket: CHG-4211, requested_by: ada}
settings:
  listen: "[::]:8443"
  dial_timeout_ms: 3_000
  auto_default_route: false
  node: 007
pools:
  - name: pay
    algorithm: round_robin
    server_names: [pay.example.com, "*.pay.example.com"]
    drain_timeout: 30000
    owner: payments team
    business_need: null
    backends:
      - url: https://pay-1.internal:8443
        weight: 3
      - {url: "https://[2001:db8::1]"}
  - name: rest
    listen: 9443
    default_route: true
    min_tls_version: TLSv1.2
    reject_ech: true
  - name: terminals
    server_names: ["**.bücher.example"]
    allow_plaintext: true
listeners:
  shared: {no_sni: {pool: rest}, not_tls: {pool: terminals}, malformed: refuse, timeout: null}
  pools/rest:
    unknown_sni: refuse
`

describe('a whole file', () => {
  test('is what it says, no more: what is left out is not declared', () => {
    const declaration = read(whole)
    expect(declaration.file).toBe(file)
    expect(declaration.digest).toBe(createHash('sha256').update(whole).digest('hex'))
    expect(declaration.change).toEqual({ approved_by: null, reason: null, requested_by: 'ada', ticket: 'CHG-4211' })
    expect(declaration.pools).toEqual([
      {
        name: 'pay', algorithm: 'round_robin', server_names: ['pay.example.com', '*.pay.example.com'], drain_timeout: 30_000,
        owner: 'payments team', business_need: null,
        backends: [{ url: 'https://pay-1.internal:8443', weight: 3 }, { url: 'https://[2001:db8::1]' }],
      },
      { name: 'rest', listen: 9_443, default_route: true, min_tls_version: 'TLSv1.2', reject_ech: true },
      { name: 'terminals', server_names: ['**.bücher.example'], allow_plaintext: true },
    ])
    expect(Object.keys(declaration.pools![1]!).toSorted()).toEqual(['default_route', 'listen', 'min_tls_version', 'name', 'reject_ech'])
    expect(declaration.listeners).toEqual({
      shared: { malformed: 'refuse', no_sni: { pool: 'rest' }, not_tls: { pool: 'terminals' }, timeout: null }, 'pools/rest': { unknown_sni: 'refuse' },
    })
  })

  test('its settings are texts as a person wrote them, by name, each with its place', () => {
    expect(read(whole).settings).toEqual([
      { name: 'auto_default_route', place: `${file}:6:23`, value: 'false' },
      { name: 'dial_timeout_ms', place: `${file}:5:20`, value: '3_000' },
      { name: 'listen', place: `${file}:4:11`, value: '[::]:8443' },
      { name: 'node', place: `${file}:7:9`, value: '007' },
    ])
  })

  test('knows where everything stands, or what is around it', () => {
    const { placeOf } = read(whole)
    expect(placeOf(['pools', 0, 'backends', 1, 'url'])).toEqual({ line: 18, column: 15 })
    expect(placeOf(['pools', 0, 'backends', 1, 'weight'])).toEqual({ line: 18, column: 9 })
    expect(placeOf(['pools', 1])).toEqual({ line: 19, column: 5 })
    expect(placeOf(['listeners', 'shared', 'not_tls', 'pool'])).toEqual({ line: 28, column: 50 })
    expect(placeOf(['listeners', 'pools/rest'])).toEqual({ line: 30, column: 5 })
    expect(placeOf([])).toEqual({ line: 2, column: 1 })
  })

  test('a file that says nothing of pools or listeners is not one that has none', () => {
    expect(read('settings: {listen: "127.0.0.1:1"}\n')).toMatchObject({ listeners: null, pools: null })
    expect(read('listeners: {}\n').listeners).toEqual({})
    expect(read('pools: []\n').pools).toEqual([])
  })

  test('aliases and problems without end are cut off', () => {
    const aliases = Array.from({ length: 3_000 }, (_, index) => `k${index}: *a`).join(', ')
    expect(problems(`pools: &a []\nsettings: {${aliases}}\n`)).toContainEqual(expect.stringContaining('more than 100 aliases'))
    const many = problems(`pools:\n${Array.from({ length: 700 }, (_, index) => `  - {name: p${index}, wieght: 1}\n`).join('')}`)
    expect(many).toHaveLength(100)
    expect(many.at(-1)).toContain('600 more problems follow')
  })

  test('an anchor stands for what it names', () => {
    const declaration = read('pools:\n  - {name: a, server_names: &n [x.example]}\n  - {name: b, owner: &o ops, business_need: *o}\n')
    expect(declaration.pools![1]).toEqual({ name: 'b', owner: 'ops', business_need: 'ops' })
  })

  test('a byte order mark is not part of the first key', () => {
    expect(read('\uFEFFpools: []\n').pools).toEqual([])
  })
})

describe('what is wrong is said with its place, all at once', () => {
  test('values and keys', () => {
    const text = `pools:
  - name: Pay_1
    algoritm: random
    listen: 0
  - name: ok
    backends:
      - url: https://x
        wieght: 3
      - weight: 1000
    owner: 5
    drain_timeout: soon
  - server_names: x.example
poools: []
change: {tickets: 1}
`
    expect(problems(text)).toEqual([
      '2:11: pools[0].name must be 1 to 63 of a-z, 0-9 and "-".',
      '3:5: "algoritm" is no key of pools[0]; did you mean "algorithm"?',
      '4:13: pools[0].listen must be at least 1.',
      '8:9: "wieght" is no key of pools[1].backends[0]; did you mean "weight"?',
      '9:9: pools[1].backends[1].url is missing.',
      '9:17: pools[1].backends[1].weight must be at most 256.',
      '10:12: pools[1].owner must be text: put it in quotes.',
      '11:20: pools[1].drain_timeout must be a number.',
      '12:5: pools[2].name is missing.',
      '12:19: pools[2].server_names must be a list.',
      '13:1: "poools" is no key of the file; did you mean "pools"?',
      '14:10: "tickets" is no key of change; did you mean "ticket"?',
    ])
  })

  test('listeners, and what pools say of TLS', () => {
    const text = `pools:
  - {name: pay, min_tls_version: 1.2, reject_ech: yes}
listeners:
  shard: {no_sni: refuse}
  pay: {}
  pools/Pay: {}
  other/pay: {}
  shared:
    no_snii: refuse
    not_tls: pay
    timeout: {pol: pay}
    sslv2: {pool: A}
  pools/pay: refuse
`
    expect(problems(text)).toEqual([
      '2:34: pools[0].min_tls_version must be TLSv1 or TLSv1.1 or TLSv1.2 or TLSv1.3.',
      '2:51: pools[0].reject_ech must be true or false.',
      '4:3: "shard" is no listener; did you mean "shared"?',
      '5:3: "pay" is no listener; did you mean "pools/pay"?',
      '6:3: "pools/Pay" is no listener; did you mean "pools/pay"?',
      '7:3: "other/pay" is no listener; write "shared", or "pools/NAME" for that of a pool.',
      '9:5: "no_snii" is no key of listeners.shared; did you mean "no_sni"?',
      '10:14: listeners.shared.not_tls must be "refuse" or {"pool": "name"}.',
      '11:14: listeners.shared.timeout must be "refuse" or {"pool": "name"}.',
      '12:19: listeners.shared.sslv2.pool must be 1 to 63 of a-z, 0-9 and "-".',
      '13:14: listeners.pools/pay must be a map of keys and values.',
    ])
    expect(problems('listeners:\n')).toEqual([expect.stringMatching(/^1:\d+: listeners must be a map of keys and values\.$/)])
  })

  test('settings', () => {
    const text = `settings:
  dial_timeout: 5
  dial-timeout-ms: 5
  config: other.yaml
  peek_timeout_ms: 1.5
  log_level: loud
  node:
  listen: [a]
  zzz: 1
`
    expect(problems(text)).toEqual([
      '2:3: "dial_timeout" is no key of settings; did you mean "dial_timeout_ms"?',
      '3:3: "dial-timeout-ms" is no key of settings; did you mean "dial_timeout_ms"?',
      expect.stringMatching(/^4:3: "config" is no key of settings; it may have api, /),
      '5:20: settings.peek_timeout_ms: "1.5" is not a whole number from 1 to 86400000.',
      '6:14: settings.log_level: "loud" is none of debug, info, warn, error.',
      expect.stringMatching(/^7:\d+: settings\.node: it has no value of its own; write NAME, or leave the line out\.$/),
      '8:11: settings.listen: it has no value of its own; write ip:port, or leave the line out.',
      expect.stringMatching(/^9:3: "zzz" is no key of settings; it may have /),
    ])
  })

  test.each([
    ['a pool twice', 'pools:\n  - name: a\n  - name: b\n  - name: a\n', '4:11: Pool "a" is declared in line 2 already.'],
    ['a key twice', 'pools:\n  - name: a\n    owner: x\n    owner: y\n', '4:5: The key "owner" stands here for the second time.'],
    ['__proto__', 'pools: []\n__proto__: {polluted: 1}\n', '2:1: "__proto__" is not a key of any declaration.'],
    ['constructor', 'constructor: 1\n', '1:1: "constructor" is no key of the file; it may have change, listeners, pools, settings.'],
    ['a merge key', 'a: &a {owner: x}\npools: []\n', '1:1: "a" is no key of the file; it may have change, listeners, pools, settings.'],
    ['a tag', 'pools: !mine []\n', '1:8: Unresolved tag: !mine.'],
    ['a set', 'pools: !!set {a, b}\n', expect.stringMatching(/^1:8: Unresolved tag: .*set\.$/)],
    ['YAML 1.1', '%YAML 1.1\n---\npools: []\n', '1:1: Only YAML 1.2 is read; leave the %YAML line out.'],
    ['two documents', 'pools: []\n---\npools: []\n', expect.stringMatching(/^2:1: Source contains multiple documents/)],
    ['a tab', 'pools:\n\t- name: a\n', expect.stringMatching(/^2:1: Tabs are not allowed as indentation/)],
    ['an address without quotes', 'pools:\n  - name: a\n    listen: [::]:9443\n', expect.stringMatching(/^3:\d+: .*\. An address in brackets needs quotes: "\[::\]:8443"\.$/)],
    ['an alias of nothing', 'pools: *x\n', '1:8: There is no anchor &x before this alias.'],
    ['a list as a key', '? [a]\n: b\n', '1:3: A key must be a plain word.'],
    ['a list as the file', '- a\n', '1:1: the file must be a map of keys and values.'],
    ['nothing', '# all gone\n', expect.stringMatching(/^1:1: The file declares nothing\. Write "pools: \[\]" if that is meant/)],
    ['a list that is none', 'pools:\n', expect.stringMatching(/^1:\d+: pools must be a list\.$/)],
    ['lone surrogates', 'pools:\n  - name: a\n    owner: "\\ud800"\nsettings: {data: "\\ud800"}\n', '3:12: pools[0].owner must be well-formed Unicode.'],
  ])('%s', (_what, text, expected) => {
    expect(problems(text)[0]).toEqual(expected)
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  test('bytes that are no UTF-8', () => {
    expect(problems(Uint8Array.of(0x61, 0xff))).toEqual(['1:1: The file is not UTF-8.'])
  })
})

describe('nothing takes long', () => {
  test('too many bytes are not looked at', () => {
    expect(problems(Buffer.alloc(declarationBytesMax + 1, '#'))).toEqual([expect.stringMatching(/^1:1: The file has 1048577 bytes; the most is 1048576\./)])
  })

  test('aliases of aliases', () => {
    const levels = Array.from({ length: 9 }, (_, level) => `  - &l${level + 1} [${Array.from({ length: 9 }, () => `*l${level}`).join(', ')}]`)
    expect(problems(`pools:\n  - &l0 [x]\n${levels.join('\n')}\n`)).toEqual([expect.stringContaining('The file has more than 100 aliases.')])
  })

  test('an alias of what it stands in', () => {
    expect(problems('pools: &p [*p]\n')).toEqual([expect.stringContaining('More than 16 levels are nested.')])
  })

  test.each([
    ['lists in lists', '['.repeat(500_000)],
    ['lists in lists without brackets', '- '.repeat(500_000)],
    ['keys', Array.from({ length: 100_000 }, (_, index) => `k${index}:`).join('\n')],
  ])('a megabyte of %s', (_what, text) => {
    const found = problems(text)
    expect(found.length).toBeGreaterThan(0)
  })
})

describe('settings of a file', () => {
  const declared = (text: string) => read(`settings: ${text}\n`)

  test('beat the defaults, and are beaten by environment and flags', () => {
    const declaration = declared('{dial_timeout_ms: 1, peek_timeout_ms: 1, idle_timeout_ms: 1}')
    const { settings } = new SettingsInForce({ dialTimeoutMs: '3' }, declaration, { WAYBILL_PEEK_TIMEOUT_MS: '2' })
    expect(settings).toMatchObject({ dialTimeoutMs: 3, peekTimeoutMs: 2, idleTimeoutMs: 1, appendTimeoutMs: 5_000 })
  })

  test('what contradicts the rest is said with its place', () => {
    expect(() => new SettingsInForce({}, declared('{api: "127.0.0.1:8443"}'), {})).toThrow(
      `listen: [::]:8443 and ${file}:1:17: api: 127.0.0.1:8443 are on the same port`,
    )
    expect(() => new SettingsInForce({}, declared('{api: "0.0.0.0:4000"}'), {})).toThrow(`${file}:1:17: api: 0.0.0.0:4000 is not a loopback address`)
  })

  test('at the next start: what differs and is not hidden by a flag', () => {
    const inForce = new SettingsInForce({ dialTimeoutMs: '3' }, declared('{peek_timeout_ms: 1, node: a}'), {})
    const next = (text: string) => inForce.atNextStart(declared(text))
    expect(next('{peek_timeout_ms: 1, node: a}')).toEqual({ differences: [], ignored: false })
    expect(next('{dial_timeout_ms: 9, peek_timeout_ms: 2}')).toEqual({
      differences: [{ name: 'node', value: null }, { name: 'peek_timeout_ms', value: '2' }], ignored: false,
    })
    expect(next('{listen: "127.0.0.1:4000"}')).toEqual({ problems: [expect.objectContaining({ line: 1, sentence: expect.stringContaining('are on the same port') })] })
  })

  test('of another file than the one of the server are ignored, and that is said', () => {
    const inForce = new SettingsInForce({}, null, {})
    expect(inForce.atNextStart(declared('{peek_timeout_ms: 2}'))).toEqual({ differences: [], ignored: true })
    expect(inForce.atNextStart(read('pools: []'))).toEqual({ differences: [], ignored: false })
  })
})
