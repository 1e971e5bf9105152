/**
 * Finds the name that a misspelt name was probably meant to be.
 *
 * @module
 */

/**
 * Returns the nearest of some names, or `null` if none is near. A name is near if at most a third of its letters differ, or if it
 * ends with the given one, which then lacks the beginning. Underscores count like letters, and case does not.
 *
 * @param given A name without its prefix. Hostile input.
 * @param names The right names, without their prefix.
 */
export function nearestName(given: string, names: Iterable<string>): string | null {
  const wrong = given.toUpperCase().slice(0, MAX_LENGTH)
  let nearest: string | null = null
  let least = Math.max(1, Math.ceil(wrong.length / 3)) + 1
  for (const name of names) {
    const distance = name.endsWith(`__${wrong}`) ? 1 : editDistance(wrong, name)
    if (distance < least) [nearest, least] = [name, distance]
  }
  return nearest
}

const MAX_LENGTH = 100

/** The Levenshtein distance: how many letters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1))
    }
    above = row
  }
  return above.at(-1)!
}
