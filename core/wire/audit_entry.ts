/**
 * An entry of the log, as it is hashed.
 *
 * @module
 */
import * as z from 'zod/mini'
import { ACTIONS } from '../vault/access/rules.ts'
import { Hash, told } from './audit.ts'
import { described } from './parts.ts'

/** An entry of the log as it is written, `body` below: `docs/reference/audit-entry.schema.json` is made of this. */
export const AuditEntry = described(
  z.strictObject({
    v: described(z.literal(1), 'The version of this form'),
    index: told.index,
    previous: described(z.nullable(Hash), 'The leaf hash of the entry before, base64; null for the first'),
    blind: described(z.optional(z.base64()), 'Random bytes, when the log is blinded'),
    time: told.time,
    request: described(z.nullable(z.string()), 'The Request-Id of the request; null for what the vault did by itself'),
    operation: told.operation,
    action: described(z.nullable(z.enum(ACTIONS)), 'The right that it needs; null when it has none of its own'),
    resource: told.resource,
    principal: described(z.nullable(z.string()), 'Who asked; null for the vault itself, and who is not known yet'),
    token: described(z.nullable(z.string()), 'The accessor of the API token'),
    session: described(z.nullable(z.string()), 'The accessor of the session'),
    address: described(z.nullable(z.string()), 'From where'),
    agent: described(z.nullable(z.string()), 'The user agent, as it says'),
    rule: described(z.nullable(z.string()), 'The rule that decided; null for the default, deny'),
    outcome: told.outcome,
    severity: told.severity,
    facts: described(z.record(z.string(), z.unknown()), 'What else belongs to it; never a value'),
  }),
  'One entry of the log of a Postern vault, in the canonical form of RFC 8785',
)

export type AuditEntry = z.output<typeof AuditEntry>
