/**
 * The public names of Postern's core.
 *
 * @module
 */

export { makeProofKey, type ProofKey } from './authentication/dpop_proof.ts'
export { type Client, type ClientOptions, connect, type SecretValue, type SignedIn, signIn } from './client/client.ts'
export { type ErrorCode, type ErrorDetail, PosternError } from './errors.ts'
export { parseName } from './names.ts'
export { Redacted } from './redacted.ts'
export { formatReference, parseReference, pick, type Reference } from './reference.ts'
export {
  choice,
  describeSettings,
  flag,
  list,
  readSettings,
  type Sources,
  secret,
  text,
  whole,
} from './settings/reader.ts'
export type { Settings } from './settings/settings.ts'
export { ACTIONS, type Action, type Decision, decide, type Rule } from './vault/access/rules.ts'
