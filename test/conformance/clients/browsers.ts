/** Browsers, without a window and without a profile: their hellos as they come. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { catchCommandHello, versionOf } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import { type Client, type Hello, name, tls12, tls12And13 } from './client.ts'

const web: Expected = { sni: name, alpn: ['h2', 'http/1.1'], tls_versions: tls12And13 }

export const chromium: Client = {
  name: 'chromium',
  version: versionOf('chromium'),
  hellos: scratch =>
    Promise.resolve([
      chromiumHello(scratch, 'as it comes', [], web),
      chromiumHello(scratch, 'TLS 1.2 at most', ['--ssl-version-max=tls1.2'], { ...web, tls_versions: tls12 }),
    ]),
}

function chromiumHello(scratch: string, title: string, options: readonly string[], expected: Expected): Hello {
  const fixed = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
  return {
    name: title,
    options: ['chromium', ...options].join(' '),
    expected,
    caught: () =>
      catchCommandHello('chromium', port => [
        ...fixed,
        ...options,
        `--user-data-dir=${join(scratch, `chromium ${title}`)}`,
        `--host-resolver-rules=MAP ${name} 127.0.0.1`,
        `https://${name}:${port}/`,
      ]),
  }
}

export const firefox: Client = {
  name: 'firefox',
  version: versionOf('firefox-esr'),
  hellos: scratch =>
    Promise.resolve([
      firefoxHello(scratch, 'as it comes', {}, web),
      firefoxHello(scratch, 'TLS 1.2 at most', { 'security.tls.version.max': 3 }, { ...web, tls_versions: tls12 }),
    ]),
}

function firefoxHello(
  scratch: string,
  title: string,
  preferences: Readonly<Record<string, unknown>>,
  expected: Expected,
): Hello {
  return {
    name: title,
    options: ['firefox-esr', ...Object.entries(preferences).map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join(
      ' ',
    ),
    expected,
    caught: () => {
      const profile = join(scratch, `firefox ${title}`)
      mkdirSync(profile)
      const all = { 'network.dns.forceResolve': '127.0.0.1', 'network.captive-portal-service.enabled': false, ...preferences }
      const lines = Object.entries(all).map(
        ([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`,
      )
      writeFileSync(join(profile, 'user.js'), lines.join(''))
      return catchCommandHello('firefox-esr', port => ['--headless', '--profile', profile, `https://${name}:${port}/`])
    },
  }
}
