/** File descriptors that this process may have open: the soft limit, which Node raises to the hard one at start. */
export function descriptorsMax(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = Number(report.userLimits?.open_files?.soft)
  return Number.isSafeInteger(soft) && soft > 0 ? soft : fallbackDescriptors
}

/** Where the limit can't be told ("unlimited", or no such report): what every system of the last decades allows. */
const fallbackDescriptors = 1_024
