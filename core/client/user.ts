/**
 * The half of the client for every caller: secrets, the caller's own session, and the log as a witness sees it.
 *
 * The editor bundles only this half, with the shapes of its answers.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { parseName } from '../names.ts'
import { Redacted } from '../redacted.ts'
import { sleep } from '../sleep.ts'
import { ConsistencyProof, InclusionProof, MyEntries } from '../wire/audit.ts'
import { ProviderList } from '../wire/providers.ts'
import type { Rotate } from '../wire/rotation.ts'
import { Run } from '../wire/run.ts'
import { HydrateResult, PutSecretResult, Secret, SecretList, VersionList } from '../wire/secrets.ts'
import { ConfirmedTotp, EnrolledTotp, type Factor, OpenedSession, type OpenSession, Whoami } from '../wire/session.ts'
import { requests, search } from './requests.ts'
import { type Ask, errorOf, type TransportOptions, transport } from './transport.ts'

/** Options of a client. */
export type ClientOptions = TransportOptions & { token: Redacted<string> }

/** A secret with its value. */
export type SecretValue = Omit<z.output<typeof Secret>, 'value' | 'encoding'> & {
  value: Redacted<string>
  /** Set if the value is binary: `value` is its base64. */
  encoding?: 'base64'
}

/** Options of a read. */
export interface GetOptions {
  /** A number, `current`, `previous`, `pending`, or a version id or label of the provider. */
  version?: number | string
  /** A JSON pointer (RFC 6901) to one value of a JSON document, such as `/password`. */
  field?: string
  /** Has the provider called although the server's cache holds a fresh value. A rate limit of its own counts it. */
  fresh?: boolean
  signal?: AbortSignal
}

/** Options of a write. */
export interface PutOptions {
  contentType?: string
  tags?: Record<string, string>
  expiresAt?: Date
  /** The version that must be current, or `absent`. */
  expect?: number | string
  /** Makes retries of this write safe for 24 hours. */
  idempotencyKey?: string
  /** Allows the write to replace a JSON document at a provider with text, or text with a document. */
  replace?: 'shape'
}

/** Options of a list. */
export interface ListOptions {
  prefix?: string
  cursor?: string
  limit?: number
  deleted?: boolean
}

// Only the part of RotationList that the editor needs: the whole shape would be a tenth of its bundle.
const RotatableList = z.object({
  items: z.array(z.object({ name: z.string(), graceSeconds: z.int() })),
  cursor: z.optional(z.string()),
})

/** The value or error for one reference. */
export type Hydrated = { reference: string; secret: SecretValue } | { reference: string; error: PosternError }

/** Credentials for a sign-in: an API token, with or without a second factor, or the token of an identity provider. */
export type SignInOptions = TransportOptions & z.input<typeof OpenSession>

/** A new session, and a client that uses it. */
export interface SignInResult<C> {
  client: C
  session: Omit<z.output<typeof OpenedSession>, 'token'>
  token: Redacted<string>
}

/** The requests of any caller to one vault. Every method throws {@link PosternError} with the server's code. */
export interface UserClient {
  get(name: string, options?: GetOptions): Promise<SecretValue>
  put(
    name: string,
    value: Redacted<string | Bytes>,
    options?: PutOptions,
  ): Promise<{ name: string; version: number | string }>
  list(options?: ListOptions): Promise<z.output<typeof SecretList>>
  versions(name: string, options?: { cursor?: string; limit?: number }): Promise<z.output<typeof VersionList>>
  delete(name: string, options?: { expect?: number }): Promise<void>
  restore(name: string): Promise<void>
  /** Destroys one version, or all versions, permanently. */
  destroy(name: string, which: { version: number } | 'all'): Promise<void>
  hydrate(references: readonly string[], options?: { signal?: AbortSignal }): Promise<Hydrated[]>
  whoami(): Promise<z.output<typeof Whoami>>
  /** Adds a second factor to the session. Returns a client of the new session that replaces it. */
  stepUp(factor: z.input<typeof Factor>): Promise<SignInResult<UserClient>>
  signOut(): Promise<void>
  enrolTotp(): Promise<{ uri: Redacted<string>; qr: Redacted<string> }>
  confirmTotp(code: string): Promise<{ recoveryCodes: Redacted<string[]> }>
  /** Lists the secrets that the caller may rotate, with the seconds for which a replaced value stays valid. */
  rotatable(): Promise<z.output<typeof RotatableList>['items']>
  /** Starts a rotation now. */
  rotate(name: string, options?: z.input<typeof Rotate>): Promise<z.output<typeof Run>>
  /** Returns the health of the providers. */
  providers(): Promise<z.output<typeof ProviderList>>
  /** Returns the newest checkpoint of the log, a signed note. Verify it with a key from another channel. */
  checkpoint(options?: {
    /** Selects the newest checkpoint with a cosignature of a witness. `not_found` if there is none. */
    cosigned?: boolean
  }): Promise<string>
  /** Returns the verifier keys of the log, one a line, newest first. Auditors should get them through another channel. */
  auditKey(): Promise<string>
  consistency(from: number, to: number): Promise<z.output<typeof ConsistencyProof>>
  inclusion(index: number, size: number): Promise<z.output<typeof InclusionProof>>
  /** Lists the caller's latest entries, newest first. */
  myEntries(options?: { limit?: number }): Promise<z.output<typeof MyEntries>>
}

/**
 * Creates this half of the client. It sends nothing yet.
 *
 * @throws {PosternError} `bad_request` if the endpoint would expose the token in clear text.
 */
export function connectUser(options: ClientOptions, ask: Ask = transport(options)): UserClient {
  const { get, post, remove } = requests(ask)
  return {
    async get(name, { version, field, fresh, signal } = {}) {
      const path = `secrets/${parseName(name)}${search({ version, field })}`
      const headers = fresh ? { 'Cache-Control': 'no-cache' } : {}
      return opened(await ask({ method: 'GET', path, headers, answer: Secret, values: true, signal }))
    },
    put(name, value, { expiresAt, expect, idempotencyKey, ...rest } = {}) {
      const body = { ...wireValue(value.reveal()), ...rest, ...(expiresAt && { expiresAt: expiresAt.toISOString() }) }
      const headers = { ...expectation(expect), ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }) }
      return ask({ method: 'PUT', path: `secrets/${parseName(name)}`, body, headers, answer: PutSecretResult })
    },
    list: (options = {}) => get('secrets', { ...options }, SecretList),
    versions: (name, options = {}) => get(`versions/${parseName(name)}`, { ...options }, VersionList),
    delete: (name, { expect } = {}) => remove(`secrets/${parseName(name)}`, expectation(expect)),
    restore: async (name) => void (await post(`restore/${parseName(name)}`, undefined, z.unknown())),
    destroy: async (name, which) => {
      const body = which === 'all' ? undefined : { version: z.int().parse(which.version) }
      await post(`destroy/${parseName(name)}`, body, z.unknown())
    },
    async hydrate(references, { signal } = {}) {
      const asked = { method: 'POST', path: 'hydrate', body: { references }, values: true, signal } as const
      const { items } = await ask({ ...asked, answer: HydrateResult })
      return items.map(({ reference, secret, error }) => {
        if (secret !== undefined) return { reference, secret: opened(secret) }
        return { reference, error: errorOf(error ?? {}) }
      })
    },
    whoami: () => get('sessions/current', {}, Whoami),
    stepUp: async (factor) =>
      signedIn(
        options,
        await ask({ method: 'POST', path: 'sessions/current', body: factor, values: true, answer: OpenedSession }),
      ),
    signOut: () => remove('sessions/current'),
    async enrolTotp() {
      const { uri, qr } = await ask({ method: 'POST', path: 'totp', values: true, answer: EnrolledTotp })
      return { uri: new Redacted(uri), qr: new Redacted(qr) }
    },
    async confirmTotp(code) {
      const asked = { method: 'POST', path: 'totp/confirm', body: { code }, values: true } as const
      const { recoveryCodes } = await ask({ ...asked, answer: ConfirmedTotp })
      return { recoveryCodes: new Redacted(recoveryCodes) }
    },
    async rotatable() {
      const items: z.output<typeof RotatableList>['items'] = []
      let cursor: string | undefined
      do {
        const page = await get('rotations', { limit: 200, cursor }, RotatableList)
        items.push(...page.items)
        cursor = page.cursor
      } while (cursor !== undefined)
      return items
    },
    rotate: (name, options = {}) => post(`rotations/${parseName(name)}`, options, Run),
    providers: () => get('providers', {}, ProviderList),
    auditKey: async () => (await ask({ method: 'GET', path: 'audit/key', answer: z.string(), text: true })).trim(),
    checkpoint: ({ cosigned = false } = {}) =>
      ask({
        method: 'GET',
        path: cosigned ? 'audit/checkpoint?cosigned=true' : 'audit/checkpoint',
        answer: z.string(),
        text: true,
      }),
    consistency: (from, to) => get('audit/consistency', { from, to }, ConsistencyProof),
    inclusion: (index, size) => get(`audit/inclusion/${index}`, { size }, InclusionProof),
    myEntries: (options = {}) => get('audit/mine', { ...options }, MyEntries),
  }
}

/** How often a sign-in is sent while the keys of its issuer are not available, and the longest pause between. */
const SIGN_IN_TRIES = 4
const LONGEST_PAUSE_S = 30

/**
 * Signs in: exchanges an API token, or the token of an issuer, for a session.
 *
 * While the server cannot fetch the keys of the issuer, the same token is sent again after the time that the server
 * says, up to three times.
 *
 * @throws {PosternError} `unauthenticated` for any failure.
 */
export async function signInUser(options: SignInOptions): Promise<SignInResult<UserClient>> {
  const { code, recoveryCode, assertion, ...rest } = options
  const body = { ...(code && { code }), ...(recoveryCode && { recoveryCode }), ...(assertion && { assertion }) }
  const asked = { method: 'POST', path: 'sessions', body, values: true } as const
  const ask = transport(rest)
  for (let tries = 1; ; tries++) {
    try {
      return signedIn(rest, await ask({ ...asked, answer: OpenedSession }))
    } catch (error) {
      const pauseS = pauseAfter(error)
      if (pauseS === null || tries === SIGN_IN_TRIES) throw error
      await sleep(pauseS * 1000)
    }
  }
}

/** The pause before the same sign-in is worth another try, in seconds; `null` if it is not. */
function pauseAfter(error: unknown): number | null {
  if (!(error instanceof PosternError) || error.detail.reason !== 'issuer_unavailable') return null
  const { retryAfterSeconds = 1 } = error.detail
  return retryAfterSeconds <= LONGEST_PAUSE_S ? retryAfterSeconds : null
}

function signedIn(
  options: TransportOptions,
  { token: text, ...session }: z.output<typeof OpenedSession>,
): SignInResult<UserClient> {
  const token = new Redacted(text)
  return { client: connectUser({ ...options, token }), session, token }
}

function opened({ value, encoding, ...rest }: z.output<typeof Secret>): SecretValue {
  return { ...rest, value: new Redacted(value), ...(encoding && { encoding }) }
}

function wireValue(value: string | Bytes): { value: string; encoding?: 'base64' } {
  return typeof value === 'string' ? { value } : { value: base64(value), encoding: 'base64' }
}

function expectation(expect: number | string | undefined): Record<string, string> {
  if (expect === undefined) return {}
  return expect === 'absent' ? { 'If-None-Match': '*' } : { 'If-Match': `"${expect}"` }
}
