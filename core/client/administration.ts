/**
 * What administrators, approvers and auditors ask for.
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

/** The half of a client that is for those who run a vault. */
export interface Administration {
  putPrincipal(id: string, principal: z.input<typeof wire.PutPrincipal>): Promise<z.output<typeof wire.Principal>>
  createToken(input: z.input<typeof wire.CreateToken>): Promise<{ accessor: string; token: Redacted<string> }>
  revokeToken(accessor: string): Promise<void>
  putRule(id: string, rule: z.input<typeof wire.PutRule>): Promise<z.output<typeof wire.Rule>>
  deleteRule(id: string): Promise<void>
  explain(input: z.input<typeof wire.Explain>): Promise<z.output<typeof wire.Explanation>>
  /** Lists the secrets that rotate, when each is due, and the outcome of its last run. */
  rotations(options?: { cursor?: string; limit?: number }): Promise<z.output<typeof wire.RotationList>>
  rotation(name: string): Promise<z.output<typeof wire.RotationWithRuns>>
  putRotation(name: string, config: z.input<typeof wire.PutRotation>): Promise<z.output<typeof wire.Rotation>>
  deleteRotation(name: string): Promise<void>
  /** Steers the run in progress. */
  steer(name: string, to: z.input<typeof wire.SteerRotation>['do']): Promise<z.output<typeof wire.Run>>
  /** Makes an earlier version's value the newest version; by a rotation where the secret has one. */
  rollback(name: string, options: z.input<typeof wire.Rollback>): Promise<z.output<typeof wire.RolledBack>>
  /** The terms of the vault's key, the newest first. */
  terms(): Promise<z.output<typeof wire.TermList>>
  /** Begins a term and moves the sealed values to it. */
  rekey(): Promise<z.output<typeof wire.Term>>
  policy(): Promise<z.output<typeof wire.Policy>>
  putPolicy(policy: z.input<typeof wire.PutPolicy>): Promise<z.output<typeof wire.Policy>>
  /** Sets where a hook is. A new one, or one with a new address, has a new signing secret. */
  putHook(
    id: string,
    hook: z.input<typeof wire.PutHook>,
  ): Promise<{ hook: z.output<typeof wire.Hook>; secret: Redacted<string> | null }>
  /** Lists approval requests: the own ones, and those that the caller may decide. */
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
  putIssuer(id: string, issuer: z.input<typeof wire.PutIssuer>): Promise<z.output<typeof wire.Issuer>>
  auditEntries(options?: {
    from?: number
    limit?: number
    /** Only those of this severity, and above. */
    severity?: Severity
  }): Promise<z.output<typeof wire.AuditEntries>>
  auditStatus(): Promise<z.output<typeof wire.AuditStatus>>
  /** Sets a legal hold on the log, or ends it (`null`). */
  holdLog(reason: string | null): Promise<void>
  /** Begins the next term of the key that signs checkpoints. */
  rekeyLog(): Promise<z.output<typeof wire.RekeyedLog>>
}

/** Makes that half. */
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
