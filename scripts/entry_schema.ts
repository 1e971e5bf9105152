/**
 * Writes `docs/reference/audit-entry.schema.json` from the shape of an entry of the log.
 *
 * @module
 */
import * as z from 'zod'
import { AuditEntry } from '../core/wire/index.ts'
import { generated } from './generated.ts'

generated('docs/reference/audit-entry.schema.json', `${JSON.stringify(z.toJSONSchema(AuditEntry), null, 2)}\n`)
