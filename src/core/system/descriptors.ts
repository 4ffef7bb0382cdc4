import { readdir, stat } from 'node:fs/promises'

/** File descriptors that this process may have open: the soft limit, which Node raises to the hard one at start. */
export function descriptorsMax(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = Number(report.userLimits?.open_files?.soft)
  return Number.isSafeInteger(soft) && soft > 0 ? soft : fallbackDescriptors
}

/** Where the limit can't be told ("unlimited", or no such report): what every system of the last decades allows. */
const fallbackDescriptors = 1_024

/** File descriptors that this process has open; null where the system does not say. */
export async function openDescriptors(): Promise<number | null> {
  try {
    // Linux 6.2 and newer count them here; before that, and elsewhere, a listing does, which with many takes a while.
    const { size } = await stat(descriptorsFolder)
    return size > 0 ? size : (await readdir(descriptorsFolder)).length
  } catch {
    return null
  }
}

const descriptorsFolder = '/proc/self/fd'
