/**
 * The shapes of the HTTP API, v1: what a request may hold and what an answer holds; a file a concern, here all of them.
 *
 * The worker checks requests with them, the client checks answers, and the published contract is
 * generated from them. Times are ISO 8601 in UTC. Unknown fields of a request are refused; those of an answer, which a
 * newer server may have, the client leaves aside.
 *
 * @module
 */
export * from './wire/access.ts'
export * from './wire/approval.ts'
export * from './wire/audit.ts'
export * from './wire/audit_entry.ts'
export * from './wire/audit_requests.ts'
export * from './wire/chains.ts'
export * from './wire/check.ts'
export * from './wire/issuer.ts'
export * from './wire/policy.ts'
export * from './wire/problem.ts'
export * from './wire/providers.ts'
export * from './wire/rotation.ts'
export * from './wire/run.ts'
export * from './wire/secret_requests.ts'
export * from './wire/secrets.ts'
export * from './wire/session.ts'
