/**
 * Many references at once: `…/hydrate`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { badRequest, PosternError } from '../../core/errors.ts'
import { parseReference, type Reference } from '../../core/reference.ts'
import type { ProviderRead } from '../../core/vault/chains/read_operations.ts'
import { type Answer, refusalOf } from '../../core/vault/rpc.ts'
import type { SealedVersion } from '../../core/vault/secrets/operations.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import { acceptedAge } from '../http/cache_control.ts'
import { recipientOf } from '../http/request.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answerWithValues } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { ReleasedSecret } from '../provider_access/read.ts'
import type { Services } from '../services.ts'
import { pickField } from './pick_field.ts'
import { providerSecret } from './provider_secrets.ts'
import { reveal, secret } from './sealed_secret.ts'

/** The most bytes that one answer opens: enough for 200 values of the usual size, but not for 200 of the largest. */
const MAX_SEALED_BYTES = 4 * 1024 * 1024

type Item = z.input<typeof wire.HydratedItem>

/** Makes the route of hydration: each reference has its own outcome and its own audit entry. */
export function hydrateRoutes(services: Services): Hono<Env> {
  const routes = new Hono<Env>()

  serve(routes, 'hydrate', async (c) => {
    const { bodyTimeoutMs } = services.settings
    const { references } = wire.check(wire.Hydrate, await readJson(c.req.raw, bodyTimeoutMs, wire.MAX_VALUE_BODY_BYTES))
    const recipient = await recipientOf(c)
    const parsed = references.map((text, i) => attempt(() => inVault(text, `references.${i}`, c.var.vault)))
    const wanted = parsed.filter((item): item is Reference => !(item instanceof PosternError))
    const age = acceptedAge(c)
    const inputs = wanted.map(({ name, version }) => ({ name, ...(version === undefined ? {} : { version }), ...age }))
    // An approval is good for one request.
    const { approval: _, ...caller } = c.var.caller
    const answers = await c.var.handle.callAll('secret.read', caller, inputs)
    const byReference = new Map(wanted.map((reference, i) => [reference, answers[i]!]))
    const fetched = await fetchFromProviders(services, c, answers)
    let room = MAX_SEALED_BYTES
    const items = parsed.map(async (reference, i): Promise<Item> => {
      const text = references[i]!
      if (reference instanceof PosternError) return failed(text, reference)
      const found = byReference.get(reference)!
      if (!found.ok) return failed(text, refusalOf(found))
      const kept = fetched.get(found)
      if (kept instanceof PosternError) return failed(text, kept, found.index)
      // Before anything is opened, since values that wait to be sent take memory.
      room -= kept ? kept.value.reveal().length : (found.value as SealedVersion).sealed.length
      if (room < 0) return failed(text, tooMuch(`references.${i}`), found.index)
      try {
        const sealed = found.value as SealedVersion
        const value = kept ? providerSecret(kept) : secret(sealed, await reveal(services, c, sealed))
        return {
          reference: text,
          secret: reference.pointer === undefined ? value : pickField(value, reference.pointer, found.index),
        }
      } catch (error) {
        if (error instanceof PosternError) return failed(text, error, found.index)
        throw error
      }
    })
    const body = { items: await Promise.all(items) } satisfies z.input<typeof wire.HydrateResult>
    const { index = null, quota = null } = answers.at(-1) ?? {}
    return answerWithValues(c, { index, quota }, body, recipient)
  })

  return routes
}

/** Fetches the secrets that providers keep, all together. */
async function fetchFromProviders(
  { providerReader }: Services,
  c: RequestContext,
  answers: readonly Answer<SealedVersion | ProviderRead>[],
): Promise<Map<unknown, ReleasedSecret | PosternError>> {
  const permitted = answers.flatMap((answer) =>
    answer.ok && 'chain' in answer.value ? [{ answer, granted: { ...answer, value: answer.value } }] : [],
  )
  const results = await providerReader.readAll(
    c.var,
    permitted.map(({ granted }) => granted),
  )
  return new Map(
    permitted.map(({ answer }, i) => {
      const result = results[i]!
      return [answer, result instanceof PosternError ? result : result.value]
    }),
  )
}

function inVault(text: string, field: string, vault: string): Reference {
  const reference = parseReference(text, field)
  if (reference.vault !== vault) throw badRequest(field, 'Reference must name the vault in the path')
  return reference
}

function tooMuch(field: string): PosternError {
  return badRequest(field, 'Answer would be too large: ask for fewer at once', { limitBytes: MAX_SEALED_BYTES })
}

function failed(reference: string, { code, message, detail }: PosternError, index: number | null = null): Item {
  const { reason, field, passedOver, auditIndex = index ?? undefined } = detail
  const known = {
    ...{ ...(reason && { reason }), ...(field && { field }) },
    ...{ ...(passedOver && { passedOver: [...passedOver] }), ...(auditIndex !== undefined && { auditIndex }) },
  }
  return { reference, error: { code, detail: message, ...known } }
}

function attempt<T>(parse: () => T): T | PosternError {
  try {
    return parse()
  } catch (error) {
    if (error instanceof PosternError) return error
    throw error
  }
}
