import { reasonsTable } from './responses.ts'

/** What is said before the routes, in Markdown. */
export const OVERVIEW = `Postern decides, records in a log that anyone can verify, and only then releases.

## Requests

Bodies are JSON in UTF-8 with \`Content-Type: application/json\`, at most 128 KiB. Fields and query keys that are not named
here are refused, and so is a key that comes twice. Nothing in a path is percent-encoded: names have no letter that would
need it, and the slashes of a name are sent as they are. A client whose path parameters are encoded has to be told so.

Times are ISO 8601 in UTC. Methods other than those here are answered with 405 and \`Allow\`, \`HEAD\` and \`OPTIONS\` too.

## Answers

Within v1 fields may be added to answers, and none is taken away or changes what it means: leave aside what you do not know.

## Tokens and proofs

\`Authorization: Bearer\` takes an API token or a session; \`POST tokens\` also an operator's ticket (\`pso_…\`), without a body, and answers
with a token of an administrator. A session that was opened with a DPoP proof (RFC 9449) is bound to its
key, and comes as \`Authorization: DPoP\` with a proof each time. A proof carries the nonce of the last \`DPoP-Nonce\`; the
first one is answered with 401, reason \`use_dpop_nonce\`, and the nonce to use.

## Sealed answers

An answer that holds values is sealed to the key in \`Postern-Seal-To\`, a public JWK in base64url: it is a JWE in compact form,
\`application/jose\`, of the JSON that would have come otherwise. Its \`apu\` is the \`Request-Id\`.

## Pages

Lists answer with a \`cursor\` when there is more: send it back as it is, with the same query. It is opaque, and sealed. The log is
read from an index on, and answers with \`next\`.

## The log

\`Audit-Index\` names the entry that records a request, also in an error, as \`auditIndex\`. What cannot be recorded is not released.

## Limits

\`RateLimit\` and \`RateLimit-Policy\` say what the tightest limit leaves (draft-ietf-httpapi-ratelimit-headers). Past it the answer
is 429 with \`Retry-After\`.

## Approvals

Where a rule demands it, a request is answered with \`approval_required\`. Sent again with \`Approval: ask\` and \`Approval-Reason\` it
asks those who have to approve, and with \`Approval: <id>\` it is done, once, when they have.

## Traces

\`traceparent\` (W3C Trace Context) is taken, and passed on to stores that the operator runs.

## Errors

An error is \`application/problem+json\` (RFC 9457). Go by \`code\`, which is stable, and by \`reason\`, which may be added to.

\`unavailable\` with the reason \`late\` or \`write_unknown\`, like a connection that ends without an answer, leaves open whether it was done.
A repeat of a write with the same \`Idempotency-Key\` is done once, whichever it was, and answered as the first would have been; without
a key it may make another version. A read that was not answered may be in the log: it is recorded before anything is released.

${reasonsTable()}
`
