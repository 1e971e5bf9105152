/**
 * Lists the names of a store that lists one folder at a time, in byte order.
 *
 * @module
 */

/** The most folders per page, more than the depth of a name: each page makes progress. */
const MAX_FOLDERS = 64
const MAX_DEPTH = 32
// A key is one segment and must not lead to another folder.
const KEY = /^(?!\.{1,2}\/?$)[^/]+\/?$/

/**
 * Walks folders depth first. Sorted with their slash, folders and names come in the order of whole names, so the last
 * one seen is enough to resume.
 *
 * @param keysBelow Returns the keys of a folder, which is `''` or a name that ends with a slash. Keys of folders end
 *   with one too.
 * @param page.cursor The last name or folder of the page before.
 */
export async function walk(
  keysBelow: (folder: string) => Promise<string[]>,
  { prefix, cursor, limit }: { prefix: string; cursor: string | null; limit: number },
): Promise<{ names: string[]; cursor: string | null }> {
  const names: string[] = []
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const open = [start]
  let last = cursor ?? ''
  for (let folders = 0; open.length > 0; ) {
    const next = open.pop()!
    if (next !== start && !next.endsWith('/')) {
      if (names.length === limit) return { names, cursor: last }
      names.push(next)
      last = next
      continue
    }
    if (folders++ === MAX_FOLDERS) return { names, cursor: last }
    if (next > last) last = next
    const keys = (await keysBelow(next)).filter((key) => KEY.test(key)).map((key) => next + key)
    const wanted = keys.filter((key) => isWanted(key, prefix) && isAhead(key, cursor) && depth(key) <= MAX_DEPTH)
    open.push(...wanted.sort().reverse())
  }
  return { names, cursor: null }
}

function isWanted(key: string, prefix: string): boolean {
  return key.startsWith(prefix) || (key.endsWith('/') && prefix.startsWith(key))
}

/** Whether a key is a name after the cursor, or a folder that may have some. */
function isAhead(key: string, cursor: string | null): boolean {
  return cursor === null || key > cursor || (key.endsWith('/') && cursor.startsWith(key))
}

function depth(key: string): number {
  return key.split('/').length
}
