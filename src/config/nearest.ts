/** Finds what somebody who misspelt a name probably meant. */

/** Two slips of the finger; more is another word. */
const distanceMax = 2
const wordMax = 60

/** Null when nothing is near. */
export function nearest(written: string, known: readonly string[]): string | null {
  const word = written.slice(0, wordMax).toLowerCase().replaceAll('-', '_')
  let best: string | null = null
  let least = distanceMax + 1
  for (const candidate of known) {
    const distance = candidate === word ? 0 : distanceBetween(word, candidate)
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best ?? known.find((candidate) => startsAlike(candidate, word)) ?? null
}

function startsAlike(one: string, other: string): boolean {
  return other.length >= 4 && (one.startsWith(other) || other.startsWith(one))
}

/** Levenshtein: how many letters are to be put in, left out or replaced. */
function distanceBetween(one: string, other: string): number {
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= other.length; column += 1) {
      const replaced = previous[column - 1]! + (one[row - 1] === other[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[other.length]!
}
