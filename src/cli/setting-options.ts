import { Option } from 'commander'
import { settingFlag, settingTable, settingVariable, type SettingKey } from '../config/settings.ts'

/** A setting as an option of a verb, with the variable that means the same. */
export function settingOption(key: SettingKey): Option {
  const { default: fallback, description, form } = settingTable[key]
  const shown = fallback === null ? '' : `, default ${fallback}`
  return new Option(`${settingFlag(key)} <${form}>`, `${description} [${settingVariable(key)}${shown}]`)
}
