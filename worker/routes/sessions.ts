/**
 * Sign-in, sessions and second factors: `…/sessions` and `…/totp`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { issuerOf } from '../../core/authentication/federation.ts'
import { mintToken } from '../../core/authentication/token.ts'
import {
  enrolment,
  makeRecoveryCodes,
  makeTotpSecret,
  recoveryHash,
  stepOf,
  stepsAhead,
} from '../../core/authentication/totp.ts'
import type { Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest, PosternError, refusal } from '../../core/errors.ts'
import { openTotp, sealTotp } from '../../core/sealing/totp_secret.ts'
import { sleep } from '../../core/sleep.ts'
import { UUID } from '../../core/uuid.ts'
import type { Factor, OpenedSession } from '../../core/vault/access/session_operations.ts'
import type { Session } from '../../core/vault/access/session_store.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson, readOptionalJson } from '../http/body.ts'
import { recipientOf } from '../http/request.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answer, answerWithValues, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'
import { logLine } from '../telemetry/log.ts'
import { isAccepted, report, reportRefusal, type Verdict, verdictOf, waitingFor } from './assertion_verdict.ts'

/** The least time of a refused sign-in, in milliseconds: a locked, a wrong and an unknown code must take the same time. */
const REFUSAL_MS = 150
/**
 * The least time of a refusal without our token, in milliseconds: longer than fetching the keys of an issuer, which
 * happens only for trusted issuers.
 */
const STRANGER_REFUSAL_MS = 1000

/** Makes the routes of sessions and of one-time codes. */
export function sessionRoutes(services: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = services.settings

  serve(routes, 'openSession', (c) =>
    slowly(c.var.caller.credential === null ? STRANGER_REFUSAL_MS : REFUSAL_MS, async () => {
      const recipient = await recipientOf(c)
      const body = wire.check(wire.OpenSession, (await readOptionalJson(c.req.raw, bodyTimeoutMs)) ?? {})
      if (body.assertion !== undefined)
        return opened(services, c, await federate(services, c, body.assertion), recipient)
      // A session is renewed at sessions/current, with the key that it is bound to.
      if (c.var.caller.credential?.kind !== 'token') throw refusal('unauthenticated')
      return opened(services, c, await openSession(services, c, body), recipient)
    }),
  )

  serve(routes, 'renewSession', (c) =>
    slowly(REFUSAL_MS, async () => {
      const recipient = await recipientOf(c)
      const body = wire.check(wire.Factor, await readJson(c.req.raw, bodyTimeoutMs))
      if (c.var.caller.credential?.kind !== 'session') throw badRequest('Authorization', 'Must be a session')
      if (body.code === undefined && body.recoveryCode === undefined) throw badRequest('code', 'Must be given')
      return opened(services, c, await openSession(services, c, body), recipient)
    }),
  )

  serve(routes, 'whoami', async (c) => {
    const granted = await c.var.handle.call('session.whoami', c.var.caller, {})
    const { session, expiresAt, mfaAt, ...rest } = granted.value
    const body = { ...rest, ...(session && { session }), ...when('expiresAt', expiresAt), ...when('mfaAt', mfaAt) }
    return answer(c, granted, body satisfies z.input<typeof wire.Whoami>)
  })

  serve(routes, 'endOwnSession', async (c) => {
    const granted = await c.var.handle.call('session.end', c.var.caller, { accessor: null })
    return answer(c, granted, granted.value)
  })

  serve(routes, 'listSessions', async (c, { principal = null }) => {
    const granted = await c.var.handle.call('session.list', c.var.caller, { principal })
    return answer(c, granted, { items: granted.value.map(shown) } satisfies z.input<typeof wire.SessionList>)
  })

  serve(routes, 'endSessions', async (c, { principal }) => {
    if (principal === undefined) throw badRequest('principal', 'Must be given')
    const granted = await c.var.handle.call('session.end_all', c.var.caller, { principal })
    return answer(c, granted, granted.value satisfies z.input<typeof wire.EndedSessions>)
  })

  serve(routes, 'endSession', async (c) => {
    const granted = await c.var.handle.call('session.end', c.var.caller, { accessor: accessorOf(c) })
    return answer(c, granted, granted.value)
  })

  serve(routes, 'enrolTotp', async (c) => {
    const recipient = await recipientOf(c)
    const { principal } = (await c.var.handle.call('session.whoami', c.var.caller, {})).value
    const secret = makeTotpSecret()
    const id = crypto.randomUUID()
    const under = (await c.var.handle.call('keys.term', c.var.caller, {})).value
    const sealed = await sealTotp(services.keyring, { vault: c.var.vault, ...under }, principal, secret)
    const granted = await c.var.handle.call('totp.enrol', c.var.caller, { id, ...sealed })
    const body = enrolment(secret, services.settings.appName, `${principal}@${c.var.vault}`)
    return answerWithValues(c, granted, body satisfies z.input<typeof wire.EnrolledTotp>, recipient, 201)
  })

  serve(routes, 'confirmTotp', (c) =>
    slowly(REFUSAL_MS, async () => {
      const recipient = await recipientOf(c)
      const { code } = wire.check(wire.ConfirmTotp, await readJson(c.req.raw, bodyTimeoutMs))
      const { principal, id, step } = await provenStep(services, c, code, 'confirm')
      const recoveryCodes = makeRecoveryCodes()
      const key = await services.keyring.macKey(c.var.vault, 'recovery')
      const recoveryHashes = recoveryCodes.map((text) => recoveryHash(key, principal, text)!)
      const input = { id, step, recoveryHashes, root: services.keyring.rootId, jkt: jktOf(c) }
      const granted = await c.var.handle.call('totp.confirm', c.var.caller, input)
      return answerWithValues(c, granted, { recoveryCodes } satisfies z.input<typeof wire.ConfirmedTotp>, recipient)
    }),
  )

  return routes
}

/** Parses the accessor in a path. */
export function accessorOf(c: RequestContext): string {
  const accessor = c.req.param('accessor') ?? ''
  if (!UUID.test(accessor)) throw badRequest('accessor', 'Must be an accessor')
  return accessor
}

type NewSession = Granted<OpenedSession> & { token: string }

async function openSession(
  services: Services,
  c: RequestContext,
  given: z.output<typeof wire.Factor>,
): Promise<NewSession> {
  const factor = await factorOf(services, c, given)
  const { text, made } = await newToken(services, c)
  const input = { ...made, jkt: jktOf(c), factor }
  const granted = await c.var.handle.call('session.open', c.var.caller, input)
  return { ...granted, token: text.reveal() }
}

async function factorOf(
  services: Services,
  c: RequestContext,
  { code, recoveryCode }: z.output<typeof wire.Factor>,
): Promise<Factor | null> {
  if (code !== undefined) {
    const { id, step } = await provenStep(services, c, code, 'sign_in')
    return { kind: 'totp', id, step }
  }
  if (recoveryCode === undefined) return null
  const { principal } = (await c.var.handle.call('session.whoami', c.var.caller, {})).value
  const keys = await Promise.all(services.keyring.all.map((ring) => ring.macKey(c.var.vault, 'recovery')))
  // A code of another format is wrong for every principal, and counts as an attempt.
  const [hash = '', ...former] = keys.map((key) => recoveryHash(key, principal, recoveryCode) ?? '')
  return { kind: 'recovery', hash, former }
}

/** Verifies a one-time code against the principal's secret. The vault has counted the attempt. */
async function provenStep(services: Services, c: RequestContext, code: string, purpose: 'sign_in' | 'confirm') {
  const { handle, caller, vault } = c.var
  const { value } = await handle.call('totp.begin', caller, { jkt: jktOf(c), purpose })
  const secret = await openTotp(services.keyring, vault, value)
  const now = Date.now()
  const step = stepOf(secret, code, now)
  if (step !== null) return { principal: value.principal, id: value.id, step }
  const ahead = stepsAhead(secret, code, now)
  if (ahead !== null) logLine('warn', 'code_of_another_time', { requestId: c.var.requestId, stepsAhead: ahead })
  await handle.call('totp.fail', caller, { stepsAhead: ahead, jkt: jktOf(c) })
  throw refusal('unauthenticated')
}

async function federate(services: Services, c: RequestContext, assertion: string): Promise<NewSession> {
  const { handle, caller } = c.var
  if (caller.credential !== null) throw badRequest('assertion', 'Must come without another token')
  const verdicts = await verdictsOn(services, c, assertion)
  const signed = verdicts.filter((verdict) => verdict.kind === 'signed')
  const good = signed.filter(({ flaw }) => flaw === null)
  // An assertion whose only flaw is its time is recorded.
  const [first] = [...good, ...signed]
  const waiting = waitingFor(verdicts)
  if (waiting !== null) throw waiting
  if (first === undefined) throw refusal('unauthenticated')
  const { text, made } = await newToken(services, c)
  const { flaw } = first
  const { claims, once, expiresAt: onceExpiresAt } = first.assertion
  const candidates = good.map(({ issuer: { id, revision } }) => ({ id, revision }))
  const input = { ...made, jkt: jktOf(c), claims, once, onceExpiresAt, flaw, candidates }
  const granted = await handle.call('session.federate', caller, input).catch((error: unknown) => {
    if (verdicts.some(isAccepted) && isRefusal(error)) reportRefusal(services, c, 'used_or_disabled')
    throw error
  })
  return { ...granted, token: text.reveal() }
}

/** What each trust of the assertion's issuer says about it. */
async function verdictsOn(services: Services, c: RequestContext, assertion: string): Promise<Verdict[]> {
  try {
    const { handle, caller } = c.var
    const trusted = await handle.call('issuer.trusted', caller, { issuer: issuerOf(assertion) })
    const verdicts = await Promise.all(trusted.value.map((issuer) => verdictOf(services, issuer, assertion)))
    report(services, c, verdicts)
    return verdicts
  } catch (error) {
    if (isRefusal(error)) reportRefusal(services, c, 'issuer_unknown')
    throw error
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'unauthenticated'
}

async function newToken({ keyring }: Services, c: RequestContext) {
  const { text, hash } = mintToken(c.var.vault, await keyring.macKey(c.var.vault, 'token'), 'session')
  return { text, made: { hash, root: keyring.rootId, accessor: crypto.randomUUID() } }
}

function jktOf(c: RequestContext): string | null {
  return c.var.caller.proof?.jkt ?? null
}

function opened(
  { settings }: Services,
  c: RequestContext,
  { token, ...granted }: NewSession,
  recipient: Recipient | null,
): Promise<Response> {
  const { accessor, principal, expiresAt, mfaAt } = granted.value
  const body: z.input<typeof wire.OpenedSession> = {
    token,
    tokenType: jktOf(c) === null ? 'Bearer' : 'DPoP',
    accessor,
    principal,
    expiresAt: iso(expiresAt),
    idleSeconds: settings.security.sessionTimeoutMinutes * 60,
    ...when('mfaAt', mfaAt),
  }
  return answerWithValues(c, granted, body, recipient, 201)
}

function shown({
  createdAt,
  seenAt,
  expiresAt,
  mfaAt,
  address,
  agent,
  ...rest
}: Session): z.input<typeof wire.Session> {
  const times = { createdAt: iso(createdAt), seenAt: iso(seenAt), expiresAt: iso(expiresAt), ...when('mfaAt', mfaAt) }
  return { ...rest, ...times, ...(address !== null && { address }), ...(agent !== null && { agent }) }
}

/** Delays a refusal to `floorMs` or a multiple of it, so that its time does not tell what was checked. */
async function slowly(floorMs: number, work: () => Promise<Response>): Promise<Response> {
  const start = performance.now()
  try {
    return await work()
  } catch (error) {
    const spentMs = performance.now() - start
    const rest = Math.max(1, Math.ceil(spentMs / floorMs)) * floorMs - spentMs
    if (rest > 0) await sleep(rest)
    throw error
  }
}
