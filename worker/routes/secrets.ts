import { type Context, Hono } from 'hono'
import type * as z from 'zod'
import { type Bytes, base64, parseBase64, parseUtf8, utf8 } from '../../core/bytes.ts'
import { badRequest, PosternError } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import { parseName } from '../../core/secrets/name.ts'
import type { ListedSecret, SealedVersion, WriteInput } from '../../core/secrets/operations.ts'
import { fingerprint, openVersion, sealValue } from '../../core/secrets/sealed.ts'
import type { VersionRow } from '../../core/secrets/store.ts'
import * as wire from '../../core/wire.ts'
import { readJson, readOptionalJson } from '../body.ts'
import { answer, type Env, headers, iso, type Parts, query, when } from '../context.ts'

/** The provider that is the vault's own store. */
const SEALED = 'sealed'

/** `…/secrets`, `…/versions`, `…/restore` and `…/destroy`. */
export function secretRoutes(parts: Parts): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = parts.settings

  routes.get('/secrets', async (c) => {
    const { cursor = null, ...rest } = query(c, wire.ListQuery)
    const { index, value } = await c.var.handle.call('secret.list', c.var.caller, { cursor, ...rest })
    const next = value.cursor === null ? {} : { cursor: String(value.cursor) }
    return answer(c, index, { items: value.items.map(metadata), ...next } satisfies z.input<typeof wire.SecretList>)
  })

  routes.get('/secrets/:name{.+}', async (c) => {
    const { version } = query(c, wire.ReadQuery)
    const input = { name: nameOf(c), ...(version === undefined ? {} : { version }) }
    const { index, value } = await c.var.handle.call('secret.read', c.var.caller, input)
    c.header('ETag', `"${value.version}"`)
    return answer(c, index, secret(value, await reveal(parts, c, value)))
  })

  routes.put('/secrets/:name{.+}', async (c) => {
    const name = nameOf(c)
    const input = await writeInput(parts, c, name, wire.check(wire.PutSecret, await readJson(c.req.raw, bodyTimeoutMs)))
    const { index, value } = await preconditioned(c.var.handle.call('secret.write', c.var.caller, input))
    c.header('ETag', `"${value.version}"`)
    return answer(c, index, { name, version: value.version } satisfies z.input<typeof wire.PutSecretResult>, 201)
  })

  routes.delete('/secrets/:name{.+}', async (c) => {
    const { 'If-Match': expect } = headers(c, wire.DeleteHeaders)
    const input = { name: nameOf(c), ...(expect === undefined ? {} : { expect }) }
    const { index, value } = await preconditioned(c.var.handle.call('secret.delete', c.var.caller, input))
    return answer(c, index, { name: input.name, deletedAt: iso(value.deletedAt) })
  })

  routes.post('/restore/:name{.+}', async (c) => {
    const name = nameOf(c)
    const { index, value } = await c.var.handle.call('secret.restore', c.var.caller, { name })
    return answer(c, index, { name, version: value.version })
  })

  routes.post('/destroy/:name{.+}', async (c) => {
    const name = nameOf(c)
    const { version } = wire.check(wire.DestroySecret, (await readOptionalJson(c.req.raw, bodyTimeoutMs)) ?? {})
    const input = { name, ...(version === undefined ? {} : { version }) }
    const { index, value } = await c.var.handle.call('secret.destroy', c.var.caller, input)
    return answer(c, index, { ...input, destroyedAt: iso(value.destroyedAt) })
  })

  routes.get('/versions/:name{.+}', async (c) => {
    const name = nameOf(c)
    const { cursor = Number.MAX_SAFE_INTEGER, limit } = query(c, wire.VersionsQuery)
    const { index, value } = await c.var.handle.call('secret.versions', c.var.caller, { name, below: cursor, limit })
    const items = value.items.map((row) => history(row, value))
    const next = value.cursor === null ? {} : { cursor: String(value.cursor) }
    const body = { name, ...when('deletedAt', value.deletedAt), items, ...next }
    return answer(c, index, body satisfies z.input<typeof wire.VersionList>)
  })

  return routes
}

/**
 * Opens a version that the vault released.
 *
 * @throws {PosternError} `tampered`, recorded, when it cannot be opened.
 */
export async function reveal(
  { keyring, deks }: Parts,
  c: Context<Env>,
  version: SealedVersion,
): Promise<Redacted<Bytes>> {
  const value = await openVersion(keyring, deks, c.var.vault, version)
  if (value !== null) return value
  const { name, id } = version
  await c.var.handle.call('secret.tampered', c.var.caller, { name, id, version: version.version })
  throw new PosternError('tampered', 'Sealed secret cannot be opened')
}

/** A secret as the wire has it. The value is in clear from here on. */
export function secret(version: SealedVersion, value: Redacted<Bytes>): z.input<typeof wire.Secret> {
  const { name, encoding, contentType, tags, createdAt, expiresAt } = version
  const bytes = value.reveal()
  const text = encoding === 'utf8' ? parseUtf8(bytes) : null
  return {
    name,
    version: version.version,
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    contentType,
    tags,
    createdAt: iso(createdAt),
    ...when('expiresAt', expiresAt),
    provider: SEALED,
  }
}

function nameOf(c: Context<Env>): string {
  return parseName(c.req.param('name'))
}

async function writeInput(
  { keyring }: Parts,
  c: Context<Env>,
  name: string,
  body: z.output<typeof wire.PutSecret>,
): Promise<WriteInput> {
  const { 'If-Match': version, 'If-None-Match': absent, 'Idempotency-Key': key } = headers(c, wire.WriteHeaders)
  if (version !== undefined && absent) throw badRequest('If-Match', 'If-Match and If-None-Match exclude each other')
  if (body.expiresAt !== undefined && body.expiresAt <= Date.now())
    throw badRequest('expiresAt', 'Must be in the future')
  const value = new Redacted(bytesOf(body))
  const encoding = body.encoding ?? 'utf8'
  const contentType =
    body.contentType ?? (encoding === 'utf8' ? 'text/plain; charset=utf-8' : 'application/octet-stream')
  const expect = version ?? (absent ? ('absent' as const) : undefined)
  const { vault } = c.var
  return {
    name,
    ...(await sealValue(keyring, value, { vault, name, contentType })),
    contentType,
    encoding,
    ...(body.tags === undefined ? {} : { tags: body.tags }),
    ...(body.expiresAt === undefined ? {} : { expiresAt: body.expiresAt }),
    ...(expect === undefined ? {} : { expect }),
    ...(key === undefined
      ? {}
      : { idempotency: { key, fingerprint: await fingerprint(keyring, vault, [name, body, expect ?? null]) } }),
  }
}

function bytesOf({ value, encoding }: z.output<typeof wire.PutSecret>): Bytes {
  const bytes = encoding === 'base64' ? parseBase64(value) : utf8(value)
  if (bytes === null) throw badRequest('value', 'Value must be base64 with padding')
  if (bytes.length > wire.MAX_VALUE_BYTES) {
    const message = `Value must have at most ${wire.MAX_VALUE_BYTES} bytes`
    throw badRequest('value', message, { limitBytes: wire.MAX_VALUE_BYTES })
  }
  return bytes
}

/** A conflict with what the client expected is a failed precondition: 412 rather than 409. */
async function preconditioned<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    const { reason } = error instanceof PosternError ? error.detail : {}
    if (!(error instanceof PosternError) || (reason !== 'exists' && reason !== 'version_mismatch')) throw error
    throw new PosternError(error.code, error.message, { ...error.detail, precondition: true })
  }
}

function metadata(row: ListedSecret): z.input<typeof wire.SecretMetadata> {
  const { name, version, contentType, tags, createdAt, updatedAt, expiresAt, deletedAt } = row
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) }
  return {
    name,
    version,
    contentType,
    tags,
    ...times,
    ...when('expiresAt', expiresAt),
    ...when('deletedAt', deletedAt),
  }
}

function history(
  row: Omit<VersionRow, 'sealed'>,
  { current, previous }: { current: number | null; previous: number | null },
): z.input<typeof wire.Version> {
  const { number, contentType, createdAt, createdBy, expiresAt, destroyedAt } = row
  const stage = number === current ? 'current' : number === previous ? 'previous' : undefined
  return {
    version: number,
    ...(stage === undefined ? {} : { stage }),
    contentType,
    createdAt: iso(createdAt),
    createdBy,
    ...when('expiresAt', expiresAt),
    ...when('destroyedAt', destroyedAt),
    provider: SEALED,
  }
}
