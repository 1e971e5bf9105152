/**
 * Secrets and their versions: `…/secrets`, `…/versions`, `…/restore` and `…/destroy`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { badRequest, PosternError } from '../../core/errors.ts'
import { openCursor, sealCursor } from '../../core/sealing/list_cursor.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson, readOptionalJson } from '../http/body.ts'
import { acceptedAge } from '../http/cache_control.ts'
import { headers, nameOf, recipientOf, refuseWeakTag } from '../http/request.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answer, answerWithValues, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'
import { pickField } from './pick_field.ts'
import { answerProviderSecret, deleteAtProvider, providerVersions, setETag } from './provider_secrets.ts'
import { history, metadata, reveal, secret } from './sealed_secret.ts'
import { draftOf, write } from './write_secret.ts'

/** Makes the routes of secrets and their versions. */
export function secretRoutes(services: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { keyring, settings, providerReader } = services
  const { bodyTimeoutMs } = settings

  serve(routes, 'listSecrets', async (c, { cursor, prefix, deleted, limit }) => {
    const { vault } = c.var
    const list = JSON.stringify(['secrets', prefix, deleted])
    const after = cursor === undefined ? '' : await openCursor(keyring, vault, list, cursor)
    const granted = await c.var.handle.call('secret.list', c.var.caller, { prefix, after, deleted, limit })
    const { value } = granted
    const next = value.after === null ? {} : { cursor: await sealCursor(keyring, vault, list, value.after) }
    return answer(c, granted, { items: value.items.map(metadata), ...next } satisfies z.input<typeof wire.SecretList>)
  })

  serve(routes, 'readSecret', async (c, { version, field }) => {
    const recipient = await recipientOf(c)
    const part = field === undefined ? {} : { field }
    const input = { name: nameOf(c), ...(version === undefined ? {} : { version }), ...part, ...acceptedAge(c) }
    const granted = await c.get('handle').call('secret.read', c.get('caller'), input)
    if ('chain' in granted.value)
      return answerProviderSecret(c, await providerReader.read(c.var, { ...granted, value: granted.value }), {
        recipient,
        ...part,
      })
    const whole = secret(granted.value, await reveal(services, c, granted.value))
    const body = field === undefined ? whole : pickField(whole, field, granted.index)
    // The tag is that of the version, also for a field: `If-Match` of a write names it.
    c.header('ETag', `"${granted.value.version}"`)
    return answerWithValues(c, granted, body, recipient)
  })

  serve(routes, 'putSecret', async (c) => {
    const name = nameOf(c)
    const body = wire.check(wire.PutSecret, await readJson(c.req.raw, bodyTimeoutMs, wire.MAX_VALUE_BODY_BYTES))
    const draft = await draftOf(services, c, name, body)
    const granted = await preconditioned(c.var.handle.inTurn(name, () => write(services, c, draft)))
    const { version } = granted.value
    setETag(c, version)
    return answer(c, granted, { name, version } satisfies z.input<typeof wire.PutSecretResult>, 201)
  })

  serve(routes, 'deleteSecret', async (c) => {
    const input = { name: nameOf(c), ...expected(c) }
    const granted = await preconditioned(c.var.handle.call('secret.delete', c.var.caller, input))
    if (!('chain' in granted.value))
      return answer(c, granted, { name: input.name, deletedAt: iso(granted.value.deletedAt) })
    const deleted = await deleteAtProvider(services, c, input.name, { ...granted, value: granted.value })
    return answer(c, deleted, { name: input.name, deletedAt: iso(deleted.value.at) })
  })

  serve(routes, 'restoreSecret', async (c) => {
    const input = { name: nameOf(c), ...expected(c) }
    const granted = await preconditioned(c.var.handle.call('secret.restore', c.var.caller, input))
    return answer(c, granted, { name: input.name, version: granted.value.version })
  })

  serve(routes, 'destroySecret', async (c) => {
    const name = nameOf(c)
    const { version } = wire.check(wire.DestroySecret, (await readOptionalJson(c.req.raw, bodyTimeoutMs)) ?? {})
    const which = { name, ...(version === undefined ? {} : { version }) }
    const call = c.var.handle.call('secret.destroy', c.var.caller, { ...which, ...expected(c) })
    const granted = await preconditioned(call)
    return answer(c, granted, { ...which, destroyedAt: iso(granted.value.destroyedAt) })
  })

  serve(routes, 'listVersions', async (c, { cursor = Number.MAX_SAFE_INTEGER, limit }) => {
    const name = nameOf(c)
    const granted = await c.var.handle.call('secret.versions', c.var.caller, { name, below: cursor, limit })
    const { value } = granted
    if ('chain' in value) return answer(c, granted, await providerVersions(services, c, name, value.chain))
    const items = value.items.map((row) => history(row, value))
    const next = value.cursor === null ? {} : { cursor: String(value.cursor) }
    const body = { name, ...when('deletedAt', value.deletedAt), items, ...next }
    return answer(c, granted, body satisfies z.input<typeof wire.VersionList>)
  })

  return routes
}

/** The version that `If-Match` expects to be current. */
function expected(c: RequestContext): { expect?: number } {
  refuseWeakTag(c)
  if (c.req.header('If-None-Match') !== undefined) throw badRequest('If-None-Match', 'Is for PUT. Use If-Match here')
  const { 'If-Match': expect } = headers(c, wire.DeleteHeaders)
  return expect === undefined ? {} : { expect }
}

/** Turns a conflict with the client's precondition into 412 instead of 409. */
async function preconditioned<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    const { reason } = error instanceof PosternError ? error.detail : {}
    if (!(error instanceof PosternError) || (reason !== 'exists' && reason !== 'version_mismatch')) throw error
    throw new PosternError(error.code, error.message, { ...error.detail, precondition: true })
  }
}
