/**
 * The HTTP API over fetch: for services, scripts, tests and the editor.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { Severity } from './audit/severity.ts'
import { type Bytes, base64 } from './bytes.ts'
import type { PosternError } from './errors.ts'
import { Redacted } from './redacted.ts'
import { parseId, parseName } from './secrets/name.ts'
import { errorOf, type Query, type TransportOptions, transport } from './transport.ts'
import * as wire from './wire.ts'

export type ClientOptions = TransportOptions & { token: Redacted<string> }

/** A secret with its value. */
export type SecretValue = Omit<z.output<typeof wire.Secret>, 'value' | 'encoding'> & {
  value: Redacted<string>
  /** Set when the value is bytes: `value` is their base64. */
  encoding?: 'base64'
}

export interface PutOptions {
  contentType?: string
  tags?: Record<string, string>
  expiresAt?: Date
  /** Check-and-set: the version that must be current, or `absent`. */
  expect?: number | string
  /** Makes a repeat of this write harmless, for 24 hours. */
  idempotencyKey?: string
}

export interface ListOptions {
  prefix?: string
  cursor?: string
  limit?: number
  deleted?: boolean
}

/** The outcome of one reference. */
export type Hydrated = { reference: string; secret: SecretValue } | { reference: string; error: PosternError }

/** What a sign-in takes: an API token, with a second factor or not, or the token of an identity provider. */
export type SignInOptions = TransportOptions & z.input<typeof wire.OpenSession>

/** A session that was just made, and a client that uses it. */
export interface SignedIn {
  client: Client
  session: Omit<z.output<typeof wire.OpenedSession>, 'token'>
  token: Redacted<string>
}

/** One vault of one server. Every method throws {@link PosternError} with the server's code. */
export interface Client {
  get(name: string, options?: { version?: number | string; signal?: AbortSignal }): Promise<SecretValue>
  put(
    name: string,
    value: Redacted<string | Bytes>,
    options?: PutOptions,
  ): Promise<{ name: string; version: number | string }>
  list(options?: ListOptions): Promise<z.output<typeof wire.SecretList>>
  versions(name: string, options?: { cursor?: string; limit?: number }): Promise<z.output<typeof wire.VersionList>>
  delete(name: string, options?: { expect?: number }): Promise<void>
  restore(name: string): Promise<void>
  /** Erases one version, or all of them, for good. */
  destroy(name: string, which: { version: number } | 'all'): Promise<void>
  hydrate(references: readonly string[], options?: { signal?: AbortSignal }): Promise<Hydrated[]>
  whoami(): Promise<z.output<typeof wire.Whoami>>
  /** Gives a second factor to a session: the client of the new one that takes its place. */
  stepUp(factor: z.input<typeof wire.Factor>): Promise<SignedIn>
  signOut(): Promise<void>
  enrolTotp(): Promise<{ uri: Redacted<string>; qr: Redacted<string> }>
  confirmTotp(code: string): Promise<{ recoveryCodes: Redacted<string[]> }>
  putPrincipal(id: string, principal: z.input<typeof wire.PutPrincipal>): Promise<z.output<typeof wire.Principal>>
  createToken(input: z.input<typeof wire.CreateToken>): Promise<{ accessor: string; token: Redacted<string> }>
  revokeToken(accessor: string): Promise<void>
  putRule(id: string, rule: z.input<typeof wire.PutRule>): Promise<z.output<typeof wire.Rule>>
  deleteRule(id: string): Promise<void>
  explain(input: z.input<typeof wire.Explain>): Promise<z.output<typeof wire.Explanation>>
  /** The secrets that rotate, when they are due, and what became of the last run. */
  rotations(options?: { cursor?: string; limit?: number }): Promise<z.output<typeof wire.RotationList>>
  rotation(name: string): Promise<z.output<typeof wire.RotationWithRuns>>
  putRotation(name: string, config: z.input<typeof wire.PutRotation>): Promise<z.output<typeof wire.Rotation>>
  deleteRotation(name: string): Promise<void>
  /** Begins a rotation now. */
  rotate(name: string, options?: z.input<typeof wire.Rotate>): Promise<z.output<typeof wire.Run>>
  /** Steers the run that goes on. */
  steer(name: string, to: z.input<typeof wire.SteerRotation>['do']): Promise<z.output<typeof wire.Run>>
  /** Makes an earlier version's value the newest version; by a rotation where the secret has one. */
  rollback(name: string, options: z.input<typeof wire.Rollback>): Promise<z.output<typeof wire.RolledBack>>
  /** The terms of the vault's key, the newest first. */
  terms(): Promise<z.output<typeof wire.TermList>>
  /** Begins a term: what is sealed moves to it. */
  rekey(): Promise<z.output<typeof wire.Term>>
  policy(): Promise<z.output<typeof wire.Policy>>
  putPolicy(policy: z.input<typeof wire.PutPolicy>): Promise<z.output<typeof wire.Policy>>
  /** Sets where a hook is. A new one, or one with a new address, has a new signing secret. */
  putHook(
    id: string,
    hook: z.input<typeof wire.PutHook>,
  ): Promise<{ hook: z.output<typeof wire.Hook>; secret: Redacted<string> | null }>
  /** Requests for approval: one's own, and those that one may decide. */
  approvals(): Promise<z.output<typeof wire.ApprovalList>>
  approval(id: string): Promise<z.output<typeof wire.Approval>>
  /** Approves or rejects what has this hash. */
  decide(id: string, verdict: z.input<typeof wire.DecideApproval>): Promise<z.output<typeof wire.Approval>>
  withdraw(id: string): Promise<void>
  breakGlass(input: z.input<typeof wire.BreakGlass>): Promise<z.output<typeof wire.BrokenGlass>>
  brokenGlass(): Promise<z.output<typeof wire.BrokenGlassList>>
  endGlass(id: string): Promise<void>
  reviewGlass(id: string, review: string): Promise<z.output<typeof wire.BrokenGlass>>
  sessions(principal?: string): Promise<z.output<typeof wire.SessionList>>
  endSession(accessor: string): Promise<void>
  endSessions(principal: string): Promise<{ sessions: number }>
  locks(): Promise<z.output<typeof wire.LockList>>
  unlock(principal: string): Promise<void>
  resetFactors(principal: string): Promise<void>
  putChain(id: string, chain: z.input<typeof wire.PutChain>): Promise<z.output<typeof wire.Chain>>
  chains(): Promise<z.output<typeof wire.ChainList>>
  deleteChain(id: string): Promise<void>
  /** Names that the primary of a chain has, as far as the caller may read them. */
  chainNames(id: string, options?: Omit<ListOptions, 'deleted'>): Promise<z.output<typeof wire.ChainNames>>
  /** How the providers are. */
  providers(): Promise<z.output<typeof wire.ProviderList>>
  putIssuer(id: string, issuer: z.input<typeof wire.PutIssuer>): Promise<z.output<typeof wire.Issuer>>
  /** The log's newest checkpoint, a signed note: verify it with a key that you were given elsewhere. */
  checkpoint(): Promise<string>
  /** The verifier keys of the log, a line each, this term's first. An auditor is given them by a way that is not this server. */
  auditKey(): Promise<string>
  consistency(from: number, to: number): Promise<z.output<typeof wire.ConsistencyProof>>
  inclusion(index: number, size: number): Promise<z.output<typeof wire.InclusionProof>>
  auditEntries(options?: {
    from?: number
    limit?: number
    /** Only those of this severity, and above. */
    severity?: Severity
  }): Promise<z.output<typeof wire.AuditEntries>>
  /** What the caller did last, newest first. */
  myEntries(options?: { limit?: number }): Promise<z.output<typeof wire.MyEntries>>
  auditStatus(): Promise<z.output<typeof wire.AuditStatus>>
  /** Sets a legal hold on the log, or ends it (`null`). */
  holdLog(reason: string | null): Promise<void>
  /** Begins the next term of the key that signs checkpoints. */
  rekeyLog(): Promise<z.output<typeof wire.RekeyedLog>>
}

/**
 * Makes a client. Nothing is sent yet.
 *
 * @throws {PosternError} `bad_request` when the endpoint would carry the token in the clear.
 */
export function connect(options: ClientOptions): Client {
  const ask = transport(options)
  const get = <T extends z.ZodMiniType>(path: string, query: Query, answer: T) =>
    ask({ method: 'GET', path: path + search(query), answer })
  const put = <T extends z.ZodMiniType>(path: string, body: unknown, answer: T) =>
    ask({ method: 'PUT', path, body, answer })
  const post = <T extends z.ZodMiniType>(path: string, body: unknown, answer: T) =>
    ask({ method: 'POST', path, body, answer })
  const remove = async (path: string, headers: Record<string, string> = {}) =>
    void (await ask({ method: 'DELETE', path, headers, answer: z.unknown() }))
  return {
    async get(name, { version, signal } = {}) {
      const path = `secrets/${parseName(name)}${search({ version })}`
      return opened(await ask({ method: 'GET', path, answer: wire.Secret, values: true, signal }))
    },
    put(name, value, { expiresAt, expect, idempotencyKey, ...rest } = {}) {
      const body = { ...wireValue(value.reveal()), ...rest, ...(expiresAt && { expiresAt: expiresAt.toISOString() }) }
      const headers = { ...expectation(expect), ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }) }
      return ask({ method: 'PUT', path: `secrets/${parseName(name)}`, body, headers, answer: wire.PutSecretResult })
    },
    list: (options = {}) => get('secrets', { ...options }, wire.SecretList),
    versions: (name, options = {}) => get(`versions/${parseName(name)}`, { ...options }, wire.VersionList),
    delete: (name, { expect } = {}) => remove(`secrets/${parseName(name)}`, expectation(expect)),
    restore: async (name) => void (await post(`restore/${parseName(name)}`, undefined, z.unknown())),
    destroy: async (name, which) => {
      const body = which === 'all' ? undefined : { version: z.int().parse(which.version) }
      await post(`destroy/${parseName(name)}`, body, z.unknown())
    },
    async hydrate(references, { signal } = {}) {
      const asked = { method: 'POST', path: 'hydrate', body: { references }, values: true, signal } as const
      const { items } = await ask({ ...asked, answer: wire.HydrateResult })
      return items.map(({ reference, secret, error }) => {
        if (secret !== undefined) return { reference, secret: opened(secret) }
        return { reference, error: errorOf(error ?? {}) }
      })
    },
    whoami: () => get('sessions/current', {}, wire.Whoami),
    stepUp: async (factor) =>
      signedIn(
        options,
        await ask({ method: 'POST', path: 'sessions/current', body: factor, values: true, answer: wire.OpenedSession }),
      ),
    signOut: () => remove('sessions/current'),
    async enrolTotp() {
      const { uri, qr } = await ask({ method: 'POST', path: 'totp', values: true, answer: wire.EnrolledTotp })
      return { uri: new Redacted(uri), qr: new Redacted(qr) }
    },
    async confirmTotp(code) {
      const asked = { method: 'POST', path: 'totp/confirm', body: { code }, values: true } as const
      const { recoveryCodes } = await ask({ ...asked, answer: wire.ConfirmedTotp })
      return { recoveryCodes: new Redacted(recoveryCodes) }
    },
    putPrincipal: (id, principal) => put(`principals/${parseId(id)}`, principal, wire.Principal),
    async createToken(input) {
      const { accessor, token } = await post('tokens', input, wire.CreatedToken)
      return { accessor, token: new Redacted(token) }
    },
    revokeToken: (accessor) => remove(`tokens/${parseId(accessor)}`),
    putRule: (id, rule) => put(`rules/${parseId(id)}`, rule, wire.Rule),
    deleteRule: (id) => remove(`rules/${parseId(id)}`),
    explain: (input) => post('rules/explain', input, wire.Explanation),
    rotations: (options = {}) => get('rotations', { ...options }, wire.RotationList),
    rotation: (name) => get(`rotations/${parseName(name)}`, {}, wire.RotationWithRuns),
    putRotation: (name, config) => put(`rotations/${parseName(name)}`, config, wire.Rotation),
    deleteRotation: (name) => remove(`rotations/${parseName(name)}`),
    rotate: (name, options = {}) => post(`rotations/${parseName(name)}`, options, wire.Run),
    steer: (name, to) => post(`rotations/${parseName(name)}`, { do: to }, wire.Run),
    rollback: (name, options) => post(`rollback/${parseName(name)}`, options, wire.RolledBack),
    terms: () => get('keys', {}, wire.TermList),
    rekey: () => post('keys', undefined, wire.Term),
    policy: () => get('policy', {}, wire.Policy),
    putPolicy: (policy) => put('policy', policy, wire.Policy),
    async putHook(id, given) {
      const asked = { method: 'PUT', path: `hooks/${parseId(id)}`, body: given, values: true } as const
      const { secret, ...hook } = await ask({ ...asked, answer: wire.Hook })
      return { hook, secret: secret === undefined ? null : new Redacted(secret) }
    },
    approvals: () => get('approvals', {}, wire.ApprovalList),
    approval: (id) => get(`approvals/${parseId(id)}`, {}, wire.Approval),
    decide: (id, verdict) => post(`approvals/${parseId(id)}`, verdict, wire.Approval),
    withdraw: (id) => remove(`approvals/${parseId(id)}`),
    breakGlass: (input) => post('break-glass', input, wire.BrokenGlass),
    brokenGlass: () => get('break-glass', {}, wire.BrokenGlassList),
    endGlass: (id) => remove(`break-glass/${parseId(id)}`),
    reviewGlass: (id, review) => post(`break-glass/${parseId(id)}`, { review }, wire.BrokenGlass),
    sessions: (principal) => get('sessions', { principal }, wire.SessionList),
    endSession: (accessor) => remove(`sessions/${parseId(accessor)}`),
    endSessions: (principal) =>
      ask({ method: 'DELETE', path: `sessions${search({ principal })}`, answer: wire.EndedSessions }),
    locks: () => get('locks', {}, wire.LockList),
    unlock: (principal) => remove(`locks/${parseId(principal)}`),
    resetFactors: (principal) => remove(`factors/${parseId(principal)}`),
    putChain: (id, chain) => put(`chains/${parseId(id)}`, chain, wire.Chain),
    chains: () => get('chains', {}, wire.ChainList),
    deleteChain: (id) => remove(`chains/${parseId(id)}`),
    chainNames: (id, options = {}) => get(`chains/${parseId(id)}/names`, { ...options }, wire.ChainNames),
    providers: () => get('providers', {}, wire.ProviderList),
    putIssuer: (id, issuer) => put(`issuers/${parseId(id)}`, issuer, wire.Issuer),
    auditKey: async () => (await ask({ method: 'GET', path: 'audit/key', answer: z.string(), text: true })).trim(),
    checkpoint: () => ask({ method: 'GET', path: 'audit/checkpoint', answer: z.string(), text: true }),
    consistency: (from, to) => get('audit/consistency', { from, to }, wire.ConsistencyProof),
    inclusion: (index, size) => get(`audit/inclusion/${index}`, { size }, wire.InclusionProof),
    auditEntries: (options = {}) => get('audit/entries', { ...options }, wire.AuditEntries),
    myEntries: (options = {}) => get('audit/mine', { ...options }, wire.MyEntries),
    auditStatus: () => get('audit/status', {}, wire.AuditStatus),
    holdLog: async (reason) => void (await put('audit/hold', { reason }, z.unknown())),
    rekeyLog: () => post('audit/key', undefined, wire.RekeyedLog),
  }
}

/**
 * Signs in: exchanges an API token, or the token of an identity provider, for a session.
 *
 * @throws {PosternError} `unauthenticated` for whatever is wrong.
 */
export async function signIn(options: SignInOptions): Promise<SignedIn> {
  const { code, recoveryCode, assertion, ...rest } = options
  const body = { ...(code && { code }), ...(recoveryCode && { recoveryCode }), ...(assertion && { assertion }) }
  const asked = { method: 'POST', path: 'sessions', body, values: true } as const
  return signedIn(rest, await transport(rest)({ ...asked, answer: wire.OpenedSession }))
}

function signedIn(
  options: TransportOptions,
  { token: text, ...session }: z.output<typeof wire.OpenedSession>,
): SignedIn {
  const token = new Redacted(text)
  return { client: connect({ ...options, token }), session, token }
}

function search(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

function opened({ value, encoding, ...rest }: z.output<typeof wire.Secret>): SecretValue {
  return { ...rest, value: new Redacted(value), ...(encoding && { encoding }) }
}

function wireValue(value: string | Bytes): { value: string; encoding?: 'base64' } {
  return typeof value === 'string' ? { value } : { value: base64(value), encoding: 'base64' }
}

function expectation(expect: number | string | undefined): Record<string, string> {
  if (expect === undefined) return {}
  return expect === 'absent' ? { 'If-None-Match': '*' } : { 'If-Match': `"${expect}"` }
}
