/**
 * The half of the client for administrators, approvers and auditors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseId, parseName } from '../names.ts'
import { Redacted } from '../redacted.ts'
import type { Severity } from '../vault/audit/severity.ts'
import * as wire from '../wire/index.ts'
import { requests, search } from './requests.ts'
import type { Ask } from './transport.ts'
import type { ListOptions } from './user.ts'

/** The requests of administrators, approvers and auditors. */
export interface Administration {
  putPrincipal(id: string, principal: z.input<typeof wire.PutPrincipal>): Promise<z.output<typeof wire.Principal>>
  createToken(input: z.input<typeof wire.CreateToken>): Promise<{ accessor: string; token: Redacted<string> }>
  revokeToken(accessor: string): Promise<void>
  putRule(id: string, rule: z.input<typeof wire.PutRule>): Promise<z.output<typeof wire.Rule>>
  deleteRule(id: string): Promise<void>
  explain(input: z.input<typeof wire.Explain>): Promise<z.output<typeof wire.Explanation>>
  /** Lists the secrets that rotate, with their next run and the result of the last run. */
  rotations(options?: { cursor?: string; limit?: number }): Promise<z.output<typeof wire.RotationList>>
  rotation(name: string): Promise<z.output<typeof wire.RotationWithRuns>>
  putRotation(name: string, config: z.input<typeof wire.PutRotation>): Promise<z.output<typeof wire.Rotation>>
  deleteRotation(name: string): Promise<void>
  /** Acts on the current run. */
  steer(name: string, to: z.input<typeof wire.SteerRotation>['do']): Promise<z.output<typeof wire.Run>>
  /** Restores the value of an earlier version: by a rotation run if the secret has a rotation. */
  rollback(name: string, options: z.input<typeof wire.Rollback>): Promise<z.output<typeof wire.RolledBack>>
  /** Lists the terms of the vault's key, newest first. */
  terms(): Promise<z.output<typeof wire.TermList>>
  /** Starts a new term of the key and rewraps all secrets under it. */
  rekey(): Promise<z.output<typeof wire.Term>>
  policy(): Promise<z.output<typeof wire.Policy>>
  putPolicy(policy: z.input<typeof wire.PutPolicy>): Promise<z.output<typeof wire.Policy>>
  /** Creates or updates a hook. A new hook, and a hook with a new URL, gets a new signing secret. */
  putHook(
    id: string,
    hook: z.input<typeof wire.PutHook>,
  ): Promise<{ hook: z.output<typeof wire.Hook>; secret: Redacted<string> | null }>
  /** Lists the caller's requests for approval, and those the caller may decide. */
  approvals(): Promise<z.output<typeof wire.ApprovalList>>
  approval(id: string): Promise<z.output<typeof wire.Approval>>
  /** Approves or rejects the request with this hash. */
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
  /** Lists the names at the primary of a chain that the caller may read. */
  chainNames(id: string, options?: Omit<ListOptions, 'deleted'>): Promise<z.output<typeof wire.ChainNames>>
  putIssuer(id: string, issuer: z.input<typeof wire.PutIssuer>): Promise<z.output<typeof wire.Issuer>>
  auditEntries(options?: {
    from?: number
    limit?: number
    /** The lowest severity to include. */
    severity?: Severity
  }): Promise<z.output<typeof wire.AuditEntries>>
  auditStatus(): Promise<z.output<typeof wire.AuditStatus>>
  /** Sets a legal hold on the log, or ends it with `null`. */
  holdLog(reason: string | null): Promise<void>
  /** Starts a new term of the key that signs checkpoints. */
  rekeyLog(): Promise<z.output<typeof wire.RekeyedLog>>
}

/** Creates this half of the client. */
export function administration(ask: Ask): Administration {
  const { get, put, post, remove } = requests(ask)
  return {
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
    putIssuer: (id, issuer) => put(`issuers/${parseId(id)}`, issuer, wire.Issuer),
    auditEntries: (options = {}) => get('audit/entries', { ...options }, wire.AuditEntries),
    auditStatus: () => get('audit/status', {}, wire.AuditStatus),
    holdLog: async (reason) => void (await put('audit/hold', { reason }, z.unknown())),
    rekeyLog: () => post('audit/key', undefined, wire.RekeyedLog),
  }
}
