/**
 * Entries of the log as OCSF events.
 *
 * @module
 */
import { rank } from '../vault/audit/severity.ts'
import type { AuditEntry } from '../wire/index.ts'

const VERSION = '1.3.0'
/** Informational, Low, Medium, Critical. */
const SEVERITY_IDS = [1, 2, 3, 5]
const [CREATE, READ, UPDATE, DELETE, OTHER] = [1, 2, 3, 4, 99]
/** Logon and Logoff, in the class Authentication. */
const [LOGON, LOGOFF] = [1, 2]

const SIGN_INS: ReadonlyMap<string, number> = new Map([
  ['session.open', LOGON],
  ['session.federate', LOGON],
  ['totp.begin', LOGON],
  ['totp.fail', LOGON],
  ['session.end', LOGOFF],
  ['session.end_all', LOGOFF],
])
const VERBS: readonly [RegExp, number][] = [
  [/\.(?:create|open|begin|enrol|bootstrap|recover)$/, CREATE],
  [/\.(?:read|list|versions|entries|explain|mine|status|whoami)$/, READ],
  [/\.(?:write|put|restore|confirm|rekey|hold|clear|reset|rotate|prepare)$/, UPDATE],
  [/\.(?:delete|destroy|revoke|prune)$/, DELETE],
]

/**
 * Converts an entry to an OCSF event: Authentication (3002) for sign-ins, Entity Management (3004) for administration,
 * API Activity (6003) for the rest. The whole entry is in `unmapped`.
 *
 * @param log The name of the log.
 */
export function ocsfEvent(entry: AuditEntry, log: string): object {
  const { operation, principal, address, time, severity, index, outcome, action } = entry
  const user = { name: principal ?? 'unknown', uid: principal ?? 'unknown' }
  const product = { name: 'Postern', vendor_name: 'Postern' }
  const base = {
    time: Date.parse(time),
    severity_id: SEVERITY_IDS[rank(severity)],
    status_id: outcome === 'ok' ? 1 : 2,
    status_code: outcome,
    actor: { user, ...(entry.session !== null && { session: { uid: entry.session } }) },
    src_endpoint: { ip: address ?? '0.0.0.0' },
    metadata: {
      version: VERSION,
      product,
      log_name: log,
      uid: `${log}/${index}`,
      sequence: index,
      event_code: operation,
    },
    unmapped: { entry },
  }
  const signIn = SIGN_INS.get(operation)
  if (signIn !== undefined) {
    const service = { name: 'Postern' }
    return { ...classOf(3, 2, signIn), ...base, user, service, is_mfa: entry.facts.factor != null }
  }
  const activity = VERBS.find(([pattern]) => pattern.test(operation))?.[1] ?? OTHER
  if (action === 'admin') {
    return { ...classOf(3, 4, activity), ...base, entity: { name: entry.resource, type: operation.split('.')[0] } }
  }
  const resources = entry.resource === '' ? [] : [{ name: entry.resource, type: 'secret' }]
  const request = { ...(entry.request !== null && { request: { uid: entry.request } }) }
  const http = { ...(entry.agent !== null && { http_request: { user_agent: entry.agent } }) }
  return { ...classOf(6, 3, activity), ...base, ...http, api: { operation, ...request }, resources }
}

function classOf(category: number, number: number, activity: number): object {
  const uid = 1000 * category + number
  return { category_uid: category, class_uid: uid, activity_id: activity, type_uid: 100 * uid + activity }
}
