/**
 * The shape of a log entry, as it is hashed.
 *
 * @module
 */
import * as z from 'zod/mini'
import { ACTIONS } from '../vault/access/rules.ts'
import { Hash, told } from './audit.ts'
import { described } from './parts.ts'

/** A log entry: the JSON in `body` of `AuditEntries`. `audit-entry.schema.json` is generated from this shape. */
export const AuditEntry = described(
  z.strictObject({
    v: described(z.literal(1), 'The version of this format'),
    index: told.index,
    previous: described(z.nullable(Hash), 'The leaf hash of the previous entry, in base64. null for the first entry'),
    blind: described(z.optional(z.base64()), 'Random bytes, if the log is blinded'),
    time: told.time,
    request: described(z.nullable(z.string()), 'The Request-Id of the request. null for a task of the vault'),
    operation: told.operation,
    action: described(
      z.nullable(z.enum(ACTIONS)),
      'The one right that the operation needs. null if it has none of its own, such as a list, which checks each name',
    ),
    resource: told.resource,
    principal: described(
      z.nullable(z.string()),
      'The principal of the caller. null for the vault itself and for an unidentified caller',
    ),
    token: described(z.nullable(z.string()), 'The accessor of the API token'),
    session: described(z.nullable(z.string()), 'The accessor of the session'),
    address: described(z.nullable(z.string()), 'The address of the client'),
    agent: described(z.nullable(z.string()), 'The user agent that the client claims'),
    rule: described(z.nullable(z.string()), 'The rule that decided. null for the default, deny'),
    outcome: told.outcome,
    severity: told.severity,
    facts: described(z.record(z.string(), z.unknown()), 'Further facts about the operation. Never a secret value'),
  }),
  'One entry of the log of a Postern vault, in the canonical form of RFC 8785',
)

/** A log entry, as parsed. */
export type AuditEntry = z.output<typeof AuditEntry>
