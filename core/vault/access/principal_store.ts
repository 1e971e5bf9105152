/**
 * The rows of principals, tokens and rules.
 *
 * @module
 */
import type { Sql } from '../sql.ts'
import type { Rule } from './rules.ts'

/** A user is a person, with a second factor and approvals; a service has neither. */
export type PrincipalKind = 'user' | 'service'

/** A principal. Times are in milliseconds since the Unix epoch. */
export interface Principal {
  id: string
  kind: PrincipalKind
  createdAt: number
  disabledAt: number | null
}

/** A token's row: never the token, nor the hash that finds it. */
export interface TokenRow {
  /** An id that is safe to show and to log. */
  accessor: string
  principal: string
  label: string
  createdAt: number
  createdBy: string
  expiresAt: number | null
  revokedAt: number | null
  /** The root key that it was made under; `null`: the vault's own. */
  root: string | null
}

/** The origin of a token: see {@link AccessStore.lineage}. */
export interface TokenOrigin {
  /** The accessor of the API token that it is made with, or whose session makes it. */
  mintedWith: string | null
  /** For a token that a federated session makes: the lineage of the issuer behind the session. */
  trustedBy: readonly string[]
}

/**
 * A token that the vault knows, by the accessor. A dead one has the reason: it was revoked, has expired, or its principal
 * is disabled.
 */
export type KnownToken = { principal: string; accessor: string } & (
  | { ended: null; kind: PrincipalKind }
  | { ended: 'revoked' | 'expired' | 'disabled' }
)

/** A rule with the count of its changes. */
export interface VersionedRule extends Rule {
  version: number
  updatedAt: number
  updatedBy: string
}

interface Row {
  principal: string
  accessor: string
  expiresAt: number | null
  revokedAt: number | null
  /** `null` when the principal is disabled. */
  kind: PrincipalKind | null
}

type RuleRow = Omit<VersionedRule, keyof Rule> & { body: string }

const PRINCIPAL = 'id, kind, created_at AS createdAt, disabled_at AS disabledAt'
const TOKEN = `accessor, principal, label, created_at AS createdAt, created_by AS createdBy,
  expires_at AS expiresAt, revoked_at AS revokedAt, root`
const RULE = 'body, version, updated_at AS updatedAt, updated_by AS updatedBy'
/** SQL for the root key of a token: the given one, or the vault's own for `NULL`. */
export const OWN_ROOT = 'COALESCE(?, (SELECT root FROM term ORDER BY number DESC LIMIT 1))'

/** The rows of principals, tokens and rules. */
export class AccessStore {
  readonly #sql: Sql
  // Rules by principal, ready to decide with. A cache is safe: no other code writes these rows.
  #rules: Map<string, Rule[]> | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Drops the rows kept in memory. Call it when a transaction was rolled back. */
  forget(): void {
    this.#rules = null
  }

  /** Finds a token, dead or alive, and its principal; `null` when the vault does not know it. */
  findToken(hash: Uint8Array, now: number): KnownToken | null {
    // A subquery, not a join: on Bun that takes ten times as long.
    const [row] = this.#sql.all<Row>(
      `SELECT principal, accessor, expires_at AS expiresAt, revoked_at AS revokedAt,
              (SELECT kind FROM principal WHERE id = token.principal AND disabled_at IS NULL) AS kind
       FROM token WHERE hash = ?`,
      hash,
    )
    if (row === undefined) return null
    const { principal, accessor, kind, expiresAt, revokedAt } = row
    if (revokedAt !== null) return { principal, accessor, ended: 'revoked' }
    if (expiresAt !== null && expiresAt <= now) return { principal, accessor, ended: 'expired' }
    return kind === null ? { principal, accessor, ended: 'disabled' } : { principal, accessor, ended: null, kind }
  }

  principals(): Principal[] {
    return this.#sql.all<Principal>(`SELECT ${PRINCIPAL} FROM principal ORDER BY id`)
  }

  principal(id: string): Principal | null {
    return this.#sql.all<Principal>(`SELECT ${PRINCIPAL} FROM principal WHERE id = ?`, id)[0] ?? null
  }

  /** Adds a principal, or changes its kind and whether it is disabled. */
  putPrincipal({ id, kind, createdAt, disabledAt }: Principal): void {
    this.#sql.all(
      `INSERT INTO principal VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, disabled_at = excluded.disabled_at`,
      ...[id, kind, createdAt, disabledAt],
    )
  }

  tokens(): TokenRow[] {
    return this.#sql.all<TokenRow>(`SELECT ${TOKEN} FROM token ORDER BY created_at, accessor`)
  }

  /** The accessors of tokens that a server before 0.2 printed at its start: good, and without an end. */
  printedTokens(): string[] {
    const query = `SELECT accessor FROM token WHERE label = 'bootstrap' AND principal = 'admin' AND minted_with IS NULL
      AND expires_at IS NULL AND revoked_at IS NULL ORDER BY created_at`
    return this.#sql.all<{ accessor: string }>(query).map(({ accessor }) => accessor)
  }

  /** Keeps a token, and what it comes from. */
  addToken(hash: Uint8Array, token: TokenRow, { mintedWith, trustedBy }: TokenOrigin): void {
    const { accessor, principal, label, createdAt, createdBy, expiresAt, revokedAt, root } = token
    this.#sql.all(
      `INSERT INTO token (hash, accessor, principal, label, created_at, created_by, expires_at, revoked_at, minted_with,
                          trusted_by, root)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${OWN_ROOT})`,
      ...[hash, accessor, principal, label, createdAt, createdBy, expiresAt, revokedAt, mintedWith],
      ...[JSON.stringify(trustedBy), root],
    )
  }

  /**
   * The lineage of a token: its principal, its creator, and the creators of each token or issuer that it was made with,
   * back to the first.
   */
  lineage(accessor: string): string[] {
    // A chain has no circles: a token is made with an older one. The bound is against a store that was tampered with.
    return this.#sql
      .all<{ principal: string }>(
        `WITH RECURSIVE chain (principal, created_by, trusted_by, minted_with, depth) AS (
           SELECT principal, created_by, trusted_by, minted_with, 1 FROM token WHERE accessor = ?
           UNION ALL SELECT token.principal, token.created_by, token.trusted_by, token.minted_with, depth + 1
           FROM chain JOIN token ON token.accessor = chain.minted_with WHERE depth < 100
         ) SELECT principal FROM chain UNION SELECT created_by FROM chain
           UNION SELECT value FROM chain, json_each(trusted_by)`,
        accessor,
      )
      .map(({ principal }) => principal)
  }

  /** Whether a token was revoked, or is not known at all. */
  isRevoked(accessor: string): boolean {
    return this.#sql.all('SELECT 1 FROM token WHERE accessor = ? AND revoked_at IS NULL', accessor).length === 0
  }

  revokeToken(accessor: string, now: number): void {
    this.#sql.all('UPDATE token SET revoked_at = ? WHERE accessor = ? AND revoked_at IS NULL', now, accessor)
  }

  rules(): VersionedRule[] {
    return this.#sql.all<RuleRow>(`SELECT ${RULE} FROM rule ORDER BY id`).map(ruleOf)
  }

  findRule(id: string): VersionedRule | null {
    return this.#sql.all<RuleRow>(`SELECT ${RULE} FROM rule WHERE id = ?`, id).map(ruleOf)[0] ?? null
  }

  /** The rules that name a principal or all principals, in the order of their ids. */
  rulesFor(principal: string): readonly Rule[] {
    this.#rules ??= new Map()
    let rules = this.#rules.get(principal)
    if (rules === undefined) {
      rules = this.rules().filter((rule) => rule.principal === '*' || rule.principal === principal)
      this.#rules.set(principal, rules)
    }
    return rules
  }

  putRule(rule: Rule, version: number, now: number, by: string): void {
    this.#sql.all(
      'INSERT OR REPLACE INTO rule VALUES (?, ?, ?, ?, ?)',
      ...[rule.id, version, JSON.stringify(rule), now, by],
    )
    this.forget()
  }

  deleteRule(id: string): void {
    this.#sql.all('DELETE FROM rule WHERE id = ?', id)
    this.forget()
  }
}

function ruleOf({ body, ...rest }: RuleRow): VersionedRule {
  return { ...JSON.parse(body), ...rest }
}
