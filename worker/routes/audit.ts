/**
 * The audit log: `…/audit`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { type Bytes, base64, parseUtf8 } from '../../core/bytes.ts'
import { badRequest, PosternError } from '../../core/errors.ts'
import { render } from '../../core/export/render.ts'
import { retentionDaysOf } from '../../core/settings/settings.ts'
import { parseCheckpoint } from '../../core/tlog/checkpoint.ts'
import { formatVerifierKey, parseNote } from '../../core/tlog/signed_note.ts'
import { parseTilePath } from '../../core/tlog/tile.ts'
import type { Status } from '../../core/vault/audit/operations.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answer, iso, setVaultHeaders, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import { originOf, signerOf, signHead, verifierKeys } from '../integrity/sign_checkpoint.ts'
import type { Services } from '../services.ts'

/** The age at which a checkpoint is replaced, if the log has grown. */
const FRESH_MS = 1000
const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }

/** Makes the routes of the log. Entries need the right `admin`; checkpoints and proofs need only a credential. */
export function auditRoutes(services: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const keysOf = (c: RequestContext) => ({ ...services, vault: c.var.vault })

  serve(routes, 'listEntries', async (c, range) => {
    const granted = await c.var.handle.call('audit.entries', c.var.caller, range)
    const { head, min, frontier } = granted.value
    const entries = granted.value.entries.map(({ index, body }) => ({ index, body: parseUtf8(body)! }))
    const before = frontier.length === 0 ? {} : { frontier: frontier.map(base64) }
    const next = nextIndex(entries, head.size)
    const more = next === null ? {} : { next }
    const body = { size: head.size, root: base64(head.root), min, ...before, entries, ...more }
    return answer(c, granted, body satisfies z.input<typeof wire.AuditEntries>)
  })

  serve(routes, 'listOwnEntries', async (c, range) => {
    const granted = await c.var.handle.call('audit.mine', c.var.caller, range)
    const body = { items: granted.value.map(({ body }) => ownEntry(JSON.parse(parseUtf8(body)!))) }
    return answer(c, granted, body satisfies z.input<typeof wire.MyEntries>)
  })

  // Entries as JSON lines, CSV, OCSF or syslog. The Link header names the next page.
  serve(routes, 'exportEntries', async (c, { format, ...input }) => {
    const granted = await c.var.handle.call('audit.entries', c.var.caller, input)
    const { entries, head } = granted.value
    const rendered = render(
      entries.map(({ body }) => parseUtf8(body)!),
      format,
      originOf(keysOf(c)),
    )
    const next = nextIndex(entries, head.size)
    if (next !== null) c.header('Link', nextPage(c, next))
    setVaultHeaders(c, granted)
    return c.body(rendered.body, 200, { 'Content-Type': rendered.contentType })
  })

  serve(routes, 'showLog', async (c) => {
    const granted = await c.var.handle.call('audit.status', c.var.caller, {})
    return answer(c, granted, statusOf(granted.value, retentionDaysOf(services.settings)))
  })

  serve(routes, 'holdLog', async (c) => {
    const { reason } = wire.check(wire.HoldLog, await readJson(c.req.raw, services.settings.bodyTimeoutMs))
    const granted = await c.var.handle.call('audit.hold', c.var.caller, { reason })
    const { min, hold } = granted.value
    return answer(c, granted, { min, hold })
  })

  serve(routes, 'showLogKeys', async (c) => {
    // The vault is called too, so that only its callers learn that it exists.
    const head = (await c.var.handle.call('audit.head', c.var.caller, {})).value
    return c.text(`${(await verifierKeys(keysOf(c), head)).join('\n')}\n`, 200, TEXT)
  })

  serve(routes, 'rekeyLog', async (c) => {
    const { term, root } = (await c.var.handle.call('audit.head', c.var.caller, {})).value
    const key = formatVerifierKey(await signerOf(keysOf(c), term + 1, root))
    const granted = await c.var.handle.call('audit.rekey', c.var.caller, { term: term + 1, key, root })
    return answer(c, granted, { term: granted.value.term, key } satisfies z.input<typeof wire.RekeyedLog>, 201)
  })

  serve(routes, 'showCheckpoint', async (c, { cosigned }) => {
    if (cosigned !== 'true') return c.text(await checkpointOf(services, c), 200, TEXT)
    return c.text((await c.var.handle.call('audit.cosigned', c.var.caller, {})).value.note, 200, TEXT)
  })

  serve(routes, 'proveInclusion', async (c, { size: asked }) => {
    const index = indexOf(c)
    const size = asked ?? (await sizeOf(c))
    const granted = await c.var.handle.call('audit.inclusion', c.var.caller, { index, size })
    const { leaf, root, hashes } = granted.value
    const body = { index, size, leafHash: base64(leaf), root: base64(root), hashes: hashes.map(base64) }
    return answer(c, granted, body satisfies z.input<typeof wire.InclusionProof>)
  })

  // C2SP tlog-proof: a file that proves with the public key alone that an access was logged.
  serve(routes, 'proveEntry', async (c) => {
    const index = indexOf(c)
    const note = await checkpointOf(services, c)
    const size = sizeSigned(note)
    const { value } = await c.var.handle.call('audit.inclusion', c.var.caller, { index, size })
    const lines = ['c2sp.org/tlog-proof@v1', `index ${index}`, ...value.hashes.map(base64), '', note]
    return c.text(lines.join('\n'), 200, TEXT)
  })

  serve(routes, 'proveConsistency', async (c, input) => {
    const granted = await c.var.handle.call('audit.consistency', c.var.caller, input)
    const body = { ...input, hashes: granted.value.hashes.map(base64) }
    return answer(c, granted, body satisfies z.input<typeof wire.ConsistencyProof>)
  })

  serve(routes, 'readTile', async (c) => {
    const granted = await c.var.handle.call('audit.tile', c.var.caller, parseTilePath(c.req.param('tile') ?? ''))
    return c.body(granted.value.hashes as Bytes, 200, { 'Content-Type': 'application/octet-stream' })
  })

  return routes
}

/** The newest checkpoint. It is signed now if it is old and the log has grown. */
async function checkpointOf(services: Services, c: RequestContext): Promise<string> {
  const { handle, caller } = c.var
  const found = (await handle.call('audit.head', caller, {})).value
  // The absolute difference, so that a clock that is set back does not keep an old checkpoint.
  if (found.signed !== null && Math.abs(Date.now() - found.signed.signedAt) < FRESH_MS) return found.signed.note
  const keys = { ...services, vault: c.var.vault }
  return signHead(found, keys, (signed) => handle.call('audit.sign', caller, signed))
}

/**
 * The size of the tree that a checkpoint of this log signs.
 *
 * @throws {PosternError} `tampered` when the store holds a checkpoint that Postern did not write.
 */
function sizeSigned(note: string): number {
  try {
    return parseCheckpoint(parseNote(note).text).size
  } catch {
    throw new PosternError('tampered', 'Stored checkpoint of the log is malformed')
  }
}

/** The index of the next page; `null` after the last entry. A page may be shorter than its limit. */
function nextIndex(entries: readonly { index: number }[], size: number): number | null {
  const last = entries.at(-1)
  return last === undefined || last.index + 1 >= size ? null : last.index + 1
}

function nextPage(c: RequestContext, from: number): string {
  const url = new URL(c.req.url)
  url.searchParams.set('from', String(from))
  return `<${url.pathname}${url.search}>; rel="next"`
}

function statusOf({ head, signed, term, retention, deliveries }: Status, retentionDays: number) {
  const { min, hold, heldAt, heldBy } = retention
  const body = {
    size: head.size,
    min,
    retentionDays,
    ...(hold !== null && { hold: { reason: hold, at: iso(heldAt ?? 0), by: heldBy ?? '' } }),
    ...(signed && { checkpoint: { size: signed.size, signedAt: iso(signed.signedAt) } }),
    keyTerm: term,
    deliveries: deliveries.map(({ target, mark, deliveredAt, failure, failingSince }) => ({
      target,
      mark,
      lag: head.size - mark,
      ...when('deliveredAt', deliveredAt),
      ...(failure !== null && { failure }),
      ...when('failingSince', failingSince),
    })),
  }
  return body satisfies z.input<typeof wire.AuditStatus>
}

function ownEntry(entry: z.output<typeof wire.AuditEntry>): z.input<typeof wire.MyEntries>['items'][number] {
  const { index, time, operation, resource, outcome, severity, address, agent } = entry
  const from = { ...(address !== null && { address }), ...(agent !== null && { agent }) }
  return { index, time, operation, resource, outcome, severity, ...from }
}

async function sizeOf(c: RequestContext): Promise<number> {
  return (await c.var.handle.call('audit.head', c.var.caller, {})).value.head.size
}

function indexOf(c: RequestContext): number {
  const text = c.req.param('index') ?? ''
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text)) throw badRequest('index', 'Must be a whole number')
  return Number(text)
}
