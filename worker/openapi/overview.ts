/**
 * The introduction of the OpenAPI document.
 *
 * @module
 */
import { reasonsTable } from './responses.ts'

/** The introduction, in Markdown. */
export const OVERVIEW = `Postern decides on each request, records the decision in a log that anyone can verify, and only then releases a value.

## Requests

Bodies are JSON in UTF-8 with \`Content-Type: application/json\` and without a \`Content-Encoding\` (415 otherwise), at most 128 KiB, or 512 KiB
for a write of a secret and a hydration. A value has at most 64 KiB, however JSON escapes it. Unknown fields, unknown query keys and
duplicate keys are refused.

The name of a secret in a path is percent-decoded once: \`prod/db\` and \`prod%2Fdb\` are one name, and the name in the log. No
other part of a path has an escape. In a query \`+\` is a space, so a plus is sent as \`%2B\`.

Times are ISO 8601 in UTC. Methods that this document does not list are answered with 405 and \`Allow\`, including
\`OPTIONS\`, and \`HEAD\` except on \`/\`, \`/healthz\`, \`/readyz\` and \`/docs\`.

## Answers

Later versions of v1 may add fields to answers. They neither remove a field nor change its meaning. Ignore unknown fields.

## Tokens and proofs

\`Authorization: Bearer\` carries an API token or a session. \`POST tokens\` also takes an operator's ticket (\`pso_…\`), without
a body, and answers with the token of an administrator. A session that was opened with a DPoP proof (RFC 9449) is bound to
the key of the proof, and is sent as \`Authorization: DPoP\` with a new proof in each request. A proof carries the nonce of
the latest \`DPoP-Nonce\`. The first proof is answered with 401, the reason \`use_dpop_nonce\`, and the nonce to use.

## Sealed answers

An answer with values is sealed if the request has \`Postern-Seal-To\`, a public JWK in base64url. It is then a JWE in compact
serialization, \`application/jose\`, of the JSON in the plain answer. Its \`apu\` is the \`Request-Id\`.

## Pages

A list with more items has a \`cursor\`. Send the cursor back unchanged, with the same query. It is opaque and sealed. The
log is read from an index, and has \`next\` instead.

## The log

\`Audit-Index\` is the index of the audit entry that records the request. In an error it is also \`auditIndex\`. A value is
released only after its entry is stored.

## Limits

\`RateLimit\` and \`RateLimit-Policy\` report the remaining quota of the tightest limit
(draft-ietf-httpapi-ratelimit-headers). A request beyond the limit is answered with 429 and \`Retry-After\`.

## Approvals

A request that needs approval is answered with \`approval_required\`. Send it again with \`Approval: ask\` and
\`Approval-Reason\` to ask the approvers. Once they have approved, send it with \`Approval: <id>\`. An approval is good for
one request.

## Traces

The server accepts \`traceparent\` (W3C Trace Context) and forwards it to stores that the operator runs.

## Errors

An error is \`application/problem+json\` (RFC 9457). Rely on \`code\`, which is stable, and on \`reason\`, which may get new
values.

After \`unavailable\` with the reason \`late\` or \`write_unknown\`, or a connection that ends without an answer, the request may
have been carried out. Retry a write with the same \`Idempotency-Key\`: it is carried out once, and gets the answer of the
first attempt. Without a key, a retry may create another version. A read without an answer may be in the log, because the
log entry comes first.

${reasonsTable()}
`
