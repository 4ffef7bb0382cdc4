import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { codes } from '../../src/api/codes.ts'
import type { OpenApiDocument, Operation } from '../../src/api/openapi-page.ts'
import { harness } from './harness.ts'

/** What docs/openapi.json says is held equal to the routes by test/documents.test.ts; here, that it says everything. */

const document = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as OpenApiDocument
const operations: readonly [string, string, Operation][] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]): [string, string, Operation] => [method.toUpperCase(), path, operation]),
)
/** Documents are no part of what they describe. */
const undescribed = ['GET /openapi.json', 'GET /docs']

describe('the document', () => {
  test('has every route that the sources make, and no other', () => {
    const sources = globSync('src/api/*.ts').map((path) => readFileSync(path, 'utf8')).join('\n')
    const made = [...sources.matchAll(/method: '([A-Z]+)',\n\s+url: '([^']+)'/g)].map(
      ([, method, url]) => `${method} ${url!.replaceAll(/:([a-z_]+)/g, '{$1}')}`,
    )
    expect(made.length).toBeGreaterThan(20)
    expect(operations.map(([method, path]) => `${method} ${path}`).toSorted()).toEqual(made.filter((route) => !undescribed.includes(route)).toSorted())
  })

  test('names every error code, and where it may come from', () => {
    const text = JSON.stringify(document.paths)
    const anywhere = Object.keys(codes).filter((code) => !text.includes(`\`${code}\``))
    // Calls that are described take their method.
    expect(anywhere).toEqual(['method_not_allowed'])
    const { properties } = document.components.schemas['Problem'] as { properties: { code: { enum: string[] } } }
    expect(properties.code.enum).toEqual(Object.keys(codes).toSorted())
  })

  test('refers to nothing that is not there, and has nothing that nothing refers to', () => {
    const referred = new Set([...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!))
    expect([...referred].toSorted((one, other) => (one < other ? -1 : 1))).toEqual(Object.keys(document.components.schemas))
    expect(Object.keys(document.components.schemas).filter((name) => name.endsWith('Input') && !referred.has(name.slice(0, -5)))).toEqual([])
  })

  test.each(operations)('%s %s: its own name, a known tag, words, and problems as they are sent', (_method, _path, operation) => {
    expect(operations.filter(([, , { operationId }]) => operationId === operation.operationId)).toHaveLength(1)
    expect(document.tags.map(({ name }) => name)).toEqual(expect.arrayContaining([...operation.tags]))
    expect(operation.tags).toHaveLength(1)
    expect(operation.summary).toMatch(/^[A-Z].*[^.]$/)
    for (const [status, answer] of Object.entries(operation.responses)) {
      expect(answer.description).not.toBe('Default Response')
      if (Number(status) >= 400) expect(Object.keys(answer.content ?? {})).toEqual(['application/problem+json'])
    }
    for (const { description, in: place, name } of operation.parameters ?? []) {
      if (place !== 'path') expect(description, `${name} has no description`).toMatch(/[.;:*]$/)
    }
  })
})

describe('over HTTP', () => {
  test('the document is what the repository has', async () => {
    await using api = await harness()
    const answer = await api.get('/openapi.json')
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.json).toEqual(document)
    expect((await api.app.inject({ method: 'HEAD', url: '/openapi.json', headers: { host: 'localhost:4000' } })).statusCode).toBe(200)
  })

  test('the page loads and runs nothing, and has every call', async () => {
    await using api = await harness()
    const { body, headers } = await api.get('/docs')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; /)
    expect(body).not.toMatch(/<(?:script|img|iframe|link|object|embed|form|base)\b|\son\w+=|\ssrc=|\sstyle=|@import|url\(/i)
    for (const [, address] of body.matchAll(/href="([^"]*)"/g)) expect(address).toMatch(/^#|^\/openapi\.json$/)
    for (const [, anchor] of body.matchAll(/href="#([^"]*)"/g)) expect(body).toContain(`id="${anchor}"`)
    for (const [method, path] of operations) expect(body).toContain(`${method} ${path}</h3>`)
    expect(body).not.toMatch(/undefined|\[object/)
  })

  test('the style is the one that the policy names', async () => {
    await using api = await harness()
    const { body, headers } = await api.get('/docs')
    const style = /<style>([^<]*)<\/style>/.exec(body)![1]!
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style))).toString('base64')
    expect(headers['content-security-policy']).toContain(`'sha256-${digest}'`)
  })

  test.each(['/openapi.json', '/docs'])('%s is not for pages of other sites, and not worth a record', async (url) => {
    const api = await harness()
    expect((await api.get(url, { host: 'evil.example' })).status).toBe(421)
    expect((await api.get(url, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await api.get(url, { 'sec-fetch-site': 'none' })).status).toBe(200)
    await api.app.close()
    expect((await api.records('operations')).map(({ type }) => type)).toEqual(['dev.waybill.access.denied.v1', 'dev.waybill.access.denied.v1'])
    await api[Symbol.asyncDispose]()
  })
})
