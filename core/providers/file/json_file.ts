/**
 * The text of a JSON file of secrets: an object, whose members are texts, or objects of a text and what goes with it.
 * A change is made in the source, so that all else of the file stays as it is.
 *
 * @module
 */
import * as z from 'zod/mini'
import { ENCODINGS, type Encoding } from '../../encoding.ts'
import { JsonSource } from '../../json_source.ts'

/** One secret of a file. */
export interface FileEntry {
  text: string
  encoding: Encoding
  contentType: string | null
  /** Whether others keep more beside the text. */
  hasOthers: boolean
}

const Kept = z.object({
  value: z.string(),
  encoding: z._default(z.enum(ENCODINGS), 'utf8'),
  contentType: z._default(z.nullable(z.string()), null),
})
const EMPTY = '{}\n'

/**
 * Reads all secrets.
 *
 * @returns `null` when the file is in another form, or has a name twice: half a file must not pass for the whole.
 */
export function parseJsonFile(text: string): Map<string, FileEntry> | null {
  const source = documentOf(text)
  if (source === null) return null
  const entries = new Map<string, FileEntry>()
  for (const { key, value } of source.members(source.root)) {
    const entry = entryOf(JSON.parse(source.slice(value)))
    if (entry === null || entries.has(key) || !source.hasUniqueKeys(value)) return null
    entries.set(key, entry)
  }
  return entries
}

/** Sets an entry, or removes it with `null`, in a file that {@link parseJsonFile} reads. */
export function editJsonFile(text: string, name: string, entry: string | object | null): string {
  const source = documentOf(text)!
  const members = [...source.members(source.root)]
  const at = members.findIndex(({ key }) => key === name)
  const found = members[at]
  if (entry === null) return found === undefined ? source.text : withoutMember(source, members, at)
  const written = JSON.stringify(entry)
  if (found !== undefined) return source.replaced(found.value, written)
  const { start, end } = source.root
  const last = members.at(-1)
  if (last === undefined)
    return `${source.text.slice(0, start)}{\n  ${JSON.stringify(name)}: ${written}\n}${source.text.slice(end)}`
  // Parted from the one before it as that is from its own.
  const before = source.text.slice(0, last.start)
  const gap = before.slice(before.trimEnd().length)
  const colon = gap === '' ? ':' : ': '
  const behind = last.value.end
  return `${source.text.slice(0, behind)},${gap}${JSON.stringify(name)}${colon}${written}${source.text.slice(behind)}`
}

function withoutMember(source: JsonSource, members: readonly { start: number; value: { end: number } }[], at: number) {
  const { text, root } = source
  const [before, next] = [members[at - 1], members[at + 1]]
  const { start, value } = members[at]!
  if (before !== undefined) return text.slice(0, before.value.end) + text.slice(value.end)
  if (next !== undefined) return text.slice(0, start) + text.slice(next.start)
  return `${text.slice(0, root.start)}{}${text.slice(root.end)}`
}

function documentOf(text: string): JsonSource | null {
  const source = JsonSource.parse(text === '' ? EMPTY : text)
  return source?.root.kind === 'object' ? source : null
}

function entryOf(value: unknown): FileEntry | null {
  if (typeof value === 'string') return { text: value, encoding: 'utf8', contentType: null, hasOthers: false }
  const kept = Kept.safeParse(value)
  if (!kept.success) return null
  const { value: text, encoding, contentType } = kept.data
  const hasOthers = Object.keys(value as object).some((key) => !Object.hasOwn(Kept.shape, key))
  return { text, encoding, contentType, hasOthers }
}
