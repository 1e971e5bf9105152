/**
 * The shapes of the HTTP API, v1: what a request may hold and what an answer holds; a file a concern, here all of them.
 *
 * The worker checks requests with them, the client checks answers, and the published contract is
 * generated from them. Times are ISO 8601 in UTC. Unknown fields of a request are refused; those of an answer, which a
 * newer server may have, the client leaves aside.
 *
 * @module
 */
export * from './access.ts'
export * from './approval.ts'
export * from './audit.ts'
export * from './audit_entry.ts'
export * from './audit_requests.ts'
export * from './chains.ts'
export * from './check.ts'
export * from './issuer.ts'
export * from './policy.ts'
export * from './problem.ts'
export * from './providers.ts'
export * from './rotation.ts'
export * from './run.ts'
export * from './secret_requests.ts'
export * from './secrets.ts'
export * from './session.ts'
