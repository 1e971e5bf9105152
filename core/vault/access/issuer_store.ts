/**
 * The rows of trusted issuers: OpenID providers whose tokens a vault accepts.
 *
 * @module
 */
import type { ClaimConditions } from '../../claim_conditions.ts'
import type { Sql } from '../sql.ts'

/** An identity provider, and whose tokens of it open a session as which principal. */
export interface Issuer {
  id: string
  /** The `iss` claim, exactly, and where its metadata is found. */
  issuer: string
  /** The name of this server in the `aud` claim, exactly. */
  audience: string
  /** Whether a token may be for others too; `only` when not given. */
  audiences?: AudienceUse | undefined
  /** Where its keys are; found through its metadata when not given. */
  jwksUri?: string | undefined
  /** Its keys (RFC 7517), for an issuer that cannot be reached. */
  jwks?: { keys: readonly Readonly<Record<string, unknown>>[] } | undefined
  /** At least one further condition: an issuer signs tokens for many clients. */
  claims: ClaimConditions
  /** The principal that such a token signs in. */
  principal: string
  /** How often one token signs in; see {@link AssertionUse}. What it was when not given, and `same-key` for a new trust. */
  assertions?: AssertionUse | undefined
  /** How old a token may be, by its `iat`; as old as its `exp` allows when not given. */
  maxAgeSeconds?: number | undefined
}

/**
 * How often one token signs in.
 *
 * - `once`: for providers that give a fresh token each time
 * - `same-key`: again only with the DPoP key that it first came with, and once without a key
 * - `until-expiry`: any number of times, for any holder
 */
export type AssertionUse = 'once' | 'same-key' | 'until-expiry'

/**
 * Whether a token may have other audiences.
 *
 * - `only`: this server alone
 * - `any`: this server among others. Any of them can use the token here before its owner does
 */
export type AudienceUse = 'only' | 'any'

/** An issuer with the count of its changes. */
export interface VersionedIssuer extends Issuer {
  assertions: AssertionUse
  /** Differs for each change, also when an id is deleted and used again. */
  revision: string
  version: number
  updatedAt: number
  updatedBy: string
}

/** The rows of trusted identity providers. */
export class IssuerStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  list(): VersionedIssuer[] {
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM issuer ORDER BY id`).map(issuerOf)
  }

  /** The issuers with this `iss` claim. Several may share it, each with its own conditions. */
  trusting(url: string): VersionedIssuer[] {
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM issuer WHERE url = ? ORDER BY id LIMIT 100`, url).map(issuerOf)
  }

  find(id: string): VersionedIssuer | null {
    const [row] = this.#sql.all<Row>(`SELECT ${COLUMNS} FROM issuer WHERE id = ?`, id)
    return row ? issuerOf(row) : null
  }

  /** @param lineage The principals behind the change. They join the former lineage of the issuer. */
  put({ version, updatedAt, updatedBy, ...issuer }: VersionedIssuer, lineage: readonly string[]): void {
    for (const principal of lineage)
      this.#sql.all('INSERT OR IGNORE INTO issuer_hand VALUES (?, ?, ?)', issuer.id, issuer.issuer, principal)
    this.#sql.all(
      `INSERT OR REPLACE INTO issuer (id, url, version, body, updated_at, updated_by, hands)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[issuer.id, issuer.issuer, version, JSON.stringify(issuer), updatedAt, updatedBy, JSON.stringify(lineage)],
    )
  }

  /** The lineage of an issuer: all principals who could control whom it signs in. */
  lineageOf(id: string): string[] {
    const trust = this.find(id)
    return trust === null ? [] : this.formerLineageOf(trust)
  }

  /**
   * All principals who ever configured an issuer of this id and URL. The person who runs an OpenID provider keeps
   * control over its users even if another principal rewrites the row, or deletes it in between.
   */
  formerLineageOf({ id, issuer }: Pick<Issuer, 'id' | 'issuer'>): string[] {
    return this.#sql
      .all<{ principal: string }>('SELECT principal FROM issuer_hand WHERE id = ? AND url = ? ORDER BY 1', id, issuer)
      .map(({ principal }) => principal)
  }

  delete(id: string): void {
    this.#sql.all('DELETE FROM issuer WHERE id = ?', id)
  }
}

interface Row {
  body: string
  version: number
  updatedAt: number
  updatedBy: string
}

const COLUMNS = 'body, version, updated_at AS updatedAt, updated_by AS updatedBy'

function issuerOf({ body, ...rest }: Row): VersionedIssuer {
  // Trusts of 0.1 do not say it.
  return { assertions: 'once', ...JSON.parse(body), ...rest }
}
