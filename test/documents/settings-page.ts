import { settingFlag, settingKeys, settingName, settingTable, settingVariable } from '../../src/config/settings.ts'

/** docs/settings.md, made from the one table of settings. */
export function settingsPage(): string {
  return [
    '# Settings',
    '',
    'Generated from `src/config/settings.ts` by `npm run docs`; a test holds it.',
    '',
    'Flags beat environment variables, which beat defaults. Unknown or invalid settings stop the start with every problem named.',
    '',
    '| setting | flag | variable | default | unit | meaning |',
    '|---|---|---|---|---|---|',
    ...settingKeys.map((key) => {
      const { default: byDefault, description, form, unit } = settingTable[key]
      const shown = byDefault === null ? '' : `\`${byDefault}\``
      const cells = [`\`${settingName(key)}\``, `\`${settingFlag(key)} ${form.replaceAll('|', '\\|')}\``, `\`${settingVariable(key)}\``]
      return `| ${[...cells, shown, unit ?? '', description].join(' | ')} |`
    }),
    '',
  ].join('\n')
}
