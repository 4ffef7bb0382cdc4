/** Medians and percentiles: the machine is shared and noisy, so nothing here is a mean. */

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** Linear interpolation between the closest ranks. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  const rank = (percent / 100) * (sorted.length - 1)
  const low = Math.floor(rank)
  const below = sorted[low]!
  return below + (sorted[Math.ceil(rank)]! - below) * (rank - low)
}
