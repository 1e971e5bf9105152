/**
 * The shapes of the HTTP API, v1: what a request may hold and what an answer holds.
 *
 * The worker checks requests with them, the client checks answers, and the published contract is
 * generated from them. Times are ISO 8601 in UTC. Unknown fields of a request are refused.
 *
 * @module
 */
import * as z from 'zod'
import { parseRange } from './access/cidr.ts'
import { ACTIONS, METHODS } from './access/policy.ts'
import { FORMATS } from './audit/format.ts'
import { SEVERITIES } from './audit/severity.ts'
import { badRequest, PosternError } from './errors.ts'
import { PROVIDER_IDS } from './providers/chain.ts'
import { BREAKER_STATES, HEALTH_STATES } from './providers/health.ts'
import { parseId, parseName, parseNamePrefix } from './secrets/name.ts'
import { FAILURES, STEERS, STEPS } from './secrets/rotation.ts'
import { parsePeriod } from './secrets/schedule.ts'
import { CLASSES } from './secrets/strength.ts'

/** The largest secret value: 64 KiB, counted in bytes of UTF-8 or of decoded base64. */
export const MAX_VALUE_BYTES = 64 * 1024
/** The largest request body. */
export const MAX_BODY_BYTES = 128 * 1024
/** The most values that one hydrate call returns. */
export const MAX_REFERENCES = 200

/** Text without control characters, line separators or lone surrogates, so that no log or header breaks on it. */
const line = (min: number, max: number) =>
  z.string().min(min).max(max).refine(isPrintable, 'Text must have no control characters')
// Visible ASCII and spaces: it goes into a header.
const contentType = z
  .string()
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'Content type must be 1 to 255 of visible ASCII')
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  // With an offset it may be past the last instant that four digits of a year can write.
  .refine((ms) => ms <= Date.parse('9999-12-31T23:59:59Z'), 'Time must be before the year 10000')
const moment = z.iso.datetime()
const tags = z
  .record(line(1, 128), line(0, 256))
  .refine((record) => Object.keys(record).length <= 20, 'At most 20 tags')

const secretName = by(parseName)
const id = by(parseId)
// The pattern's segments are a name's, or "*"; "**" only at the end.
const pattern = z
  .string()
  .max(512)
  .regex(
    /^(?:\*\*|(?:[a-z0-9_.-]{1,128}|\*)(?:\/(?:[a-z0-9_.-]{1,128}|\*)){0,7}(?:\/\*\*)?)$/,
    'Pattern must be segments parted by "/", each of a name\'s characters or "*", with "**" only at the end',
  )

export const PutSecret = z
  .strictObject({
    value: z.string().refine((text) => text.isWellFormed(), 'Value must be well-formed Unicode'),
    encoding: z.literal('base64').optional().describe('Set when the value is bytes in base64'),
    contentType: contentType.optional(),
    tags: tags.optional(),
    expiresAt: time.optional(),
  })
  .describe('A new version of a secret')

/** A number of ours, or what a provider calls a version. */
const versionId = z.union([z.int(), z.string()])

export const PutSecretResult = z.strictObject({ name: secretName, version: versionId })

export const Secret = z
  .strictObject({
    name: secretName,
    version: versionId,
    value: z.string(),
    encoding: z.literal('base64').optional(),
    contentType: z.string(),
    tags,
    createdAt: moment.optional().describe('Not every provider says'),
    expiresAt: moment.optional(),
    provider: z.string(),
  })
  .describe('A secret with its value')

export const SecretMetadata = z.strictObject({
  name: secretName,
  version: z.int(),
  contentType: z.string(),
  tags,
  createdAt: moment,
  updatedAt: moment,
  expiresAt: moment.optional(),
  deletedAt: moment.optional(),
})

export const SecretList = z.strictObject({ items: z.array(SecretMetadata), cursor: z.string().optional() })

export const Version = z.strictObject({
  version: versionId,
  stage: z.enum(['current', 'previous', 'pending']).optional(),
  contentType: z.string().optional(),
  createdAt: moment.optional(),
  createdBy: z.string().optional(),
  enabled: z.literal(false).optional().describe('Set when its value cannot be read any more'),
  why: z.string().optional().describe('What made it, if not a write'),
  currentAt: moment.optional(),
  checksum: z.string().optional().describe('The tag of its envelope: keyed, and verified at each read'),
  expiresAt: moment.optional(),
  destroyedAt: moment.optional(),
  provider: z.string(),
})

export const VersionList = z.strictObject({
  name: secretName,
  deletedAt: moment.optional(),
  items: z.array(Version),
  cursor: z.string().optional(),
})

export const DestroySecret = z.strictObject({ version: z.int().min(1).optional() })

export const Hydrate = z
  .strictObject({ references: z.array(z.string().max(1024)).min(1).max(MAX_REFERENCES) })
  .describe('References to turn into values')

/** A request for approval, as an error names it. */
const AskedApproval = z.strictObject({ id: z.string(), hash: z.string(), expiresAt: moment })

/** An error as RFC 9457 writes it. */
export const Problem = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  reason: z.string().optional(),
  field: z.string().optional(),
  limitBytes: z.int().optional(),
  auditIndex: z.int().optional(),
  approval: AskedApproval.optional(),
})

export const HydratedItem = z.strictObject({
  reference: z.string(),
  secret: Secret.optional(),
  error: Problem.pick({ code: true, detail: true, reason: true, field: true, auditIndex: true }).optional(),
})

export const HydrateResult = z.strictObject({ items: z.array(HydratedItem) })

export const PutPrincipal = z.strictObject({ kind: z.enum(['user', 'service']), disabled: z.boolean().optional() })
export const Principal = z.strictObject({
  id,
  kind: z.enum(['user', 'service']),
  createdAt: moment,
  disabledAt: moment.optional(),
})
export const PrincipalList = z.strictObject({ items: z.array(Principal) })

export const CreateToken = z.strictObject({
  principal: id,
  label: line(0, 128).default(''),
  expiresAt: time.optional(),
})
export const TokenInfo = z.strictObject({
  accessor: z.string(),
  principal: id,
  label: z.string(),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: moment.optional(),
  revokedAt: moment.optional(),
})
export const CreatedToken = TokenInfo.extend({ token: z.string() }).describe('A new token, shown this once')
export const TokenList = z.strictObject({ items: z.array(TokenInfo) })

const clock = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'Must be a time of day such as 08:30')
const atLeastOne = <T extends z.ZodType>(item: T, most: number) => z.array(item).min(1).max(most)

/** What must hold for a rule to apply. */
export const Conditions = z
  .strictObject({
    addresses: atLeastOne(
      by((range) => parseRange(String(range))),
      100,
    ).optional(),
    agents: atLeastOne(line(1, 128), 100).optional(),
    methods: atLeastOne(z.enum(METHODS), METHODS.length).optional(),
    bound: z.literal(true).optional(),
    mfaWithinSeconds: z.int().min(1).max(86_400).optional(),
    hours: z.strictObject({ from: clock, to: clock }).optional().describe('UTC; over midnight when from is after to'),
    days: atLeastOne(z.int().min(1).max(7), 7).optional().describe('UTC; 1 is Monday'),
    notBefore: time.optional(),
    notAfter: time.optional(),
  })
  // One that never holds would make a forbid that forbids nothing.
  .refine(({ hours }) => hours === undefined || hours.from !== hours.to, 'Hours must have a length')
  .refine(({ notBefore = 0, notAfter = Number.MAX_VALUE }) => notBefore < notAfter, 'notBefore must be before notAfter')
  .describe('All that are given must hold')

/** How many others have to approve, of whom, and within which time. */
const Demand = z
  .strictObject({
    required: z.int().min(1, 'Must require at least one approval').max(20),
    from: atLeastOne(id, 100).refine((ids) => new Set(ids).size === ids.length, 'Approvers must differ'),
    withinSeconds: z.int().min(60).max(86_400).default(3600),
  })
  .refine(({ required, from }) => required <= from.length, 'Must name at least as many approvers as it requires')

export const PutRule = z
  .strictObject({
    effect: z.enum(['permit', 'forbid']),
    principal: z.union([z.literal('*'), id]),
    actions: z.array(z.enum(ACTIONS)).min(1).max(ACTIONS.length),
    resource: pattern,
    conditions: Conditions.optional(),
    unless: z.strictObject({ approvals: Demand }).optional(),
  })
  .refine(
    ({ effect, conditions }) => effect === 'permit' || conditions?.mfaWithinSeconds === undefined,
    'A forbid must not wait for a second factor',
  )
  .refine(({ effect, unless }) => effect === 'forbid' || unless === undefined, 'Only a forbid can have unless')
  // What a write brings is sealed: nobody could see what they approve.
  .refine(
    ({ actions, unless }) => unless === undefined || !actions.includes('write'),
    'Approvals can be demanded of read, delete, rotate and admin',
  )
const StoredConditions = z.strictObject({
  ...Conditions.shape,
  notBefore: moment.optional(),
  notAfter: moment.optional(),
})
export const Rule = z.strictObject({
  ...PutRule.shape,
  conditions: StoredConditions.optional(),
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const RuleList = z.strictObject({ items: z.array(Rule) })

/** A decision to explain, in circumstances to imagine. */
export const Explain = z.strictObject({
  principal: id,
  action: z.enum(ACTIONS),
  resource: z.string().regex(/^[\x21-\x7e]{0,512}$/, 'Must be a name'),
  address: by((address) => parseRange(String(address)))
    .refine((address) => !address.includes('/'), 'Must be one address')
    .optional(),
  agent: line(0, 256).optional(),
  method: z.enum(METHODS).default('token'),
  bound: z.boolean().default(false),
  mfaSecondsAgo: z.int().min(0).optional(),
  at: time.optional(),
})
export const Explanation = z.strictObject({
  allow: z.boolean(),
  rule: z.string().nullable(),
  missing: z.enum(['mfa', 'approval']).optional(),
  considered: z.array(z.strictObject({ id: z.string(), effect: z.enum(['permit', 'forbid']), applies: z.boolean() })),
})

const providerId = z.enum(PROVIDER_IDS)

/** Which providers keep the secrets of a pattern, the primary first. */
export const PutChain = z
  .strictObject({
    resource: pattern,
    members: atLeastOne(
      z.strictObject({
        provider: providerId,
        prefix: z
          .string()
          .regex(/^[A-Za-z0-9/_+=.@-]{1,256}$/, 'Prefix must be 1 to 256 of A-Z, a-z, 0-9 and "/_+=.@-"')
          .optional()
          .describe("What stands before the names there, in the provider's own letters"),
      }),
      PROVIDER_IDS.length,
    ).refine(
      (members) => new Set(members.map(({ provider }) => provider)).size === members.length,
      'Must have each provider but once',
    ),
    onNotFound: z.enum(['stop', 'next']).default('stop'),
    onDenied: z.literal('stop').default('stop'),
    cacheSeconds: z.int().min(0).max(3600).default(0),
    maxStaleSeconds: z.int().min(0).max(86_400).default(0),
    replicate: z.boolean().default(false),
  })
  .describe('A chain of providers')
export const Chain = z.strictObject({
  ...PutChain.shape,
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const ChainList = z.strictObject({ items: z.array(Chain) })
export const ChainNames = z.strictObject({
  items: z.array(z.strictObject({ name: secretName, updatedAt: moment.optional() })),
  cursor: z.string().optional(),
})

export const Provider = z
  .strictObject({
    id: providerId,
    kind: z.string(),
    state: z.enum(HEALTH_STATES),
    since: moment.optional().describe('As far back as this vault looked'),
    breaker: z.enum(BREAKER_STATES),
    latencyMs: z.strictObject({ p50: z.number().nullable(), p95: z.number().nullable() }),
    lastFailure: z.strictObject({ kind: z.string(), at: moment }).optional(),
    lag: z
      .strictObject({ names: z.int(), seconds: z.int() })
      .optional()
      .describe('Writes that have not arrived: how many names, and how old the oldest is'),
    drifted: z.int().optional().describe('Names that had another value here than at their primary'),
  })
  .describe('A provider, as this server finds it')
export const ProviderList = z.strictObject({ items: z.array(Provider) })

/** What values of a vault have to be like, and how many old ones are kept. */
const SecretComplexity = z
  .strictObject({
    resources: atLeastOne(pattern, 100).default(['**']),
    minLength: z.int().min(1).max(1024).default(8),
    requireUpper: z.boolean().default(true),
    requireLower: z.boolean().default(true),
    requireDigit: z.boolean().default(true),
    requireSpecial: z.boolean().default(true),
    minEntropyBits: z.int().min(0).max(256).default(0),
    denied: z.array(line(3, 64)).max(1000).default([]),
  })
  .describe('Of values that are given; what is generated follows it too')
export const PutPolicy = z.strictObject({
  secretComplexity: SecretComplexity.nullable().default(null),
  keepVersions: z.int().min(2).max(1_000_000).nullable().default(null),
  keepVersionDays: z.int().min(1).max(36_500).nullable().default(null),
  notify: id.nullable().default(null).describe('The hook that is told of what needs somebody'),
})
export const Policy = z.strictObject({
  ...PutPolicy.shape,
  version: z.int(),
  updatedAt: moment.optional(),
  updatedBy: z.string().optional(),
})

/** A term of the vault's key. */
export const Term = z.strictObject({
  term: z.int(),
  state: z.enum(['current', 'moving', 'in use', 'retired']),
  startedAt: moment,
  startedBy: z.string().optional(),
  moved: z.int().describe('Sealed values that were moved to it'),
  failed: z.int().describe('Sealed values that could not be moved to it, and keep older terms in use'),
  doneAt: moment.optional().describe('Since when nothing is sealed under an older term'),
})
export const TermList = z.strictObject({ items: z.array(Term) })

/** Another server that is told something. */
export const PutHook = z.strictObject({ url: z.string().max(512), newSecret: z.boolean().default(false) })
export const Hook = z.strictObject({
  id,
  url: z.string(),
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
  secret: z.string().optional().describe('The signing secret, when it is new: shown this once'),
})
export const HookList = z.strictObject({ items: z.array(Hook) })

/** What a value is made as. */
export const Recipe = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('password'),
    length: z.int().min(8).max(1024).default(32),
    alphabet: z
      .string()
      .regex(/^[\x21-\x7e]{2,94}$/, 'Alphabet must be 2 to 94 of visible ASCII')
      .refine((text) => new Set(text).size === text.length, 'Alphabet must have no character twice')
      .optional(),
    require: z.array(z.enum(CLASSES)).max(CLASSES.length).optional(),
  }),
  z.strictObject({
    kind: z.literal('passphrase'),
    words: z.int().min(4).max(64).default(12),
    // Without one, or with a letter, two lists of words could be the same text.
    separator: z
      .string()
      .regex(/^[ ._,:-]$/, 'Separator must be one of " ._,:-"')
      .default('-'),
  }),
  z.strictObject({ kind: z.enum(['hex', 'base64', 'base64url']), bytes: z.int().min(8).max(1024).default(32) }),
  z.strictObject({ kind: z.literal('uuid') }),
  z.strictObject({ kind: z.literal('ed25519'), format: z.enum(['pem', 'jwk']).default('pem') }),
  z.strictObject({
    kind: z.literal('rsa'),
    bits: z.union([z.literal(2048), z.literal(3072), z.literal(4096)]).default(3072),
    format: z.enum(['pem', 'jwk']).default('pem'),
  }),
])

const hours = z
  .strictObject({ from: clock, to: clock })
  .refine(({ from, to }) => from !== to, 'Hours must have a length')
const weekdays = atLeastOne(z.int().min(1).max(7), 7)
const Freeze = z.union([
  z.strictObject({ days: weekdays.optional(), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: time, to: time }).refine(({ from, to }) => from < to, 'from must be before to'),
])

/** How a secret rotates. */
export const PutRotation = z
  .strictObject({
    rotateEvery: z
      .union([z.int(), z.string().max(32)])
      .nullable()
      .default(null)
      .describe('Days, or an ISO 8601 duration such as P30D; null: by hand only'),
    jitterSeconds: z.int().min(0).max(604_800).default(0),
    freeze: z.array(Freeze).max(50).default([]),
    target: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('generate') }),
        z.strictObject({ kind: z.literal('webhook'), hook: id }),
      ])
      .default({ kind: 'generate' }),
    generate: Recipe.default({ kind: 'password', length: 32, require: [...CLASSES] }),
    graceSeconds: z.int().min(0).max(2_592_000).default(3600),
  })
  .superRefine(({ rotateEvery }, context) => {
    try {
      if (rotateEvery !== null) parsePeriod(rotateEvery)
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['rotateEvery'], message: (error as Error).message })
    }
  })
const StoredFreeze = z.union([
  z.strictObject({ days: weekdays.optional(), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: moment, to: moment }),
])
export const Run = z.strictObject({
  run: z.int(),
  why: z.enum(['schedule', 'manual', 'rollback']),
  by: z.string(),
  state: z.enum(['running', 'rotated', 'undone', 'abandoned']),
  step: z.enum(STEPS),
  attempts: z.int(),
  startedAt: moment,
  version: z.int().optional(),
  replaces: z.int().optional(),
  restores: z.int().optional(),
  failure: z.enum(FAILURES).optional(),
  nextTryAt: moment.optional(),
  finishedAt: moment.optional(),
})
export const Rotation = z.strictObject({
  ...PutRotation.shape,
  freeze: z.array(StoredFreeze),
  name: secretName,
  state: z.enum(['idle', 'due', 'running', 'failing']),
  version: z.int(),
  failures: z.int().describe('Runs in a row that changed nothing'),
  nextAt: moment.optional(),
  run: Run.optional().describe('The run that goes on, or went last'),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const RotationWithRuns = Rotation.extend({ runs: z.array(Run) })
export const RotationList = z.strictObject({ items: z.array(Rotation), cursor: z.string().optional() })
export const Rotate = z.strictObject({ force: z.boolean().default(false) })
export const SteerRotation = z.strictObject({ do: z.enum(STEERS) })
export const Rollback = z.strictObject({ version: z.int().min(1), force: z.boolean().default(false) })
export const RolledBack = z.strictObject({ name: secretName, version: versionId.optional(), run: Run.optional() })

/** A request for approval. `body` is the canonical JSON that `hash` is the SHA-256 of: approve what you read there. */
export const Approval = AskedApproval.extend({
  state: z.enum(['open', 'rejected', 'withdrawn', 'used', 'expired']),
  operation: z.string(),
  resource: z.string(),
  requester: id,
  reason: z.string(),
  createdAt: moment,
  body: z.string(),
  approvals: z.array(z.strictObject({ principal: id, at: moment })),
  demands: z.array(z.strictObject({ rule: id, required: z.int(), from: z.array(id) })),
  endedAt: moment.optional(),
  endedBy: z.string().optional(),
  endedWhy: z.string().optional(),
})
export const ApprovalList = z.strictObject({ items: z.array(Approval) })
export const DecideApproval = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'Must be the hash of what was read'),
    reason: line(1, 256).optional(),
  })
  .refine(({ decision, reason }) => decision === 'approve' || reason !== undefined, 'A rejection must give a reason')

export const BreakGlass = z.strictObject({ reason: line(8, 256), minutes: z.int().min(1).max(60).default(15) })
export const ReviewGlass = z.strictObject({ review: line(8, 1024) })
export const BrokenGlass = z.strictObject({
  id: z.string(),
  principal: id,
  reason: z.string(),
  beganAt: moment,
  expiresAt: moment,
  endedAt: moment.optional(),
  reviewedAt: moment.optional(),
  reviewedBy: z.string().optional(),
  review: z.string().optional(),
})
export const BrokenGlassList = z.strictObject({ items: z.array(BrokenGlass) })

/** Headers of a request that others have to approve. */
export const ApprovalHeaders = z.strictObject({
  Approval: z
    .string()
    .regex(/^(?:ask|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/, 'Must be "ask" or the id of an approval')
    .optional(),
  'Approval-Reason': line(1, 256).optional(),
})

const code = z.string().max(64)
/** A second factor. */
export const Factor = z
  .strictObject({ code: code.optional(), recoveryCode: code.optional() })
  .refine(
    ({ code, recoveryCode }) => code === undefined || recoveryCode === undefined,
    'Only one of code and recoveryCode',
  )

/** Either a second factor beside an API token, or the token of an identity provider in place of one. */
export const OpenSession = z
  .strictObject({ ...Factor.shape, assertion: z.string().max(16_384).optional() })
  .refine(
    (given) => [given.code, given.recoveryCode, given.assertion].filter((one) => one !== undefined).length <= 1,
    'Only one of code, recoveryCode and assertion',
  )
export const OpenedSession = z.strictObject({
  token: z.string(),
  tokenType: z.enum(['Bearer', 'DPoP']),
  accessor: z.string(),
  principal: id,
  expiresAt: moment,
  idleSeconds: z.int(),
  mfaAt: moment.optional(),
})
export const Whoami = z.strictObject({
  principal: id,
  kind: z.enum(['user', 'service']),
  method: z.enum(METHODS),
  session: z.string().optional(),
  expiresAt: moment.optional(),
  mfaAt: moment.optional(),
  bound: z.boolean(),
  totp: z.boolean(),
  recoveryCodesLeft: z.int(),
})
export const Session = z.strictObject({
  accessor: z.string(),
  principal: id,
  method: z.enum(['session', 'federated']),
  createdAt: moment,
  seenAt: moment,
  expiresAt: moment,
  mfaAt: moment.optional(),
  address: z.string().optional(),
  agent: z.string().optional(),
  bound: z.boolean(),
})
export const SessionList = z.strictObject({ items: z.array(Session) })
export const SessionsQuery = z.strictObject({ principal: by(parseId).optional() })
export const EndedSessions = z.strictObject({ sessions: z.int() })

/** What an authenticator app is to be shown; the secret is in the URI, this once. */
export const EnrolledTotp = z.strictObject({ uri: z.string(), qr: z.string().describe('The URI as a QR code, SVG') })
export const ConfirmTotp = z.strictObject({ code })
export const ConfirmedTotp = z.strictObject({ recoveryCodes: z.array(z.string()) })

export const LockList = z.strictObject({
  items: z.array(
    z.strictObject({
      principal: z.string(),
      source: z.string(),
      failures: z.int(),
      lastAt: moment,
      lockedUntil: moment.optional(),
    }),
  ),
})

const httpsUrl = z
  .string()
  .max(512)
  .refine(
    (text) => URL.canParse(text) && isIssuerUrl(new URL(text)),
    'Must be an https URL without query, fragment or credentials',
  )

/** An identity provider whose tokens open a session, and the claims that they must have. */
export const PutIssuer = z
  .strictObject({
    issuer: httpsUrl,
    audience: line(1, 512),
    jwksUri: httpsUrl.optional(),
    claims: z
      .record(z.string().regex(/^[A-Za-z0-9_:./-]{1,128}$/), atLeastOne(line(1, 512), 20))
      .refine((claims) => conditionsOf(claims) > 0, 'At least one claim beside iss and aud, and not only "*"')
      .refine((claims) => Object.keys(claims).length <= 20, 'At most 20 claims'),
    principal: id,
  })
  .refine(
    trustsById,
    'GitHub must be trusted by an exact repository_id or repository_owner_id: names are given up and taken by others',
  )
export const Issuer = z.strictObject({
  ...PutIssuer.shape,
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const IssuerList = z.strictObject({ items: z.array(Issuer) })

const hash = z.base64().length(44)
export const InclusionProof = z
  .strictObject({ index: z.int(), size: z.int(), leafHash: hash, root: hash, hashes: z.array(hash) })
  .describe('That an entry is in the tree of this size (RFC 9162 section 2.1.3)')
export const ConsistencyProof = z
  .strictObject({ from: z.int(), to: z.int(), hashes: z.array(hash) })
  .describe('That the smaller tree is the beginning of the larger (RFC 9162 section 2.1.4)')

/** An entry of the log as it is written, `body` below: `docs/audit-entry.schema.json` is made of this. */
export const AuditEntry = z
  .strictObject({
    v: z.literal(1).describe('The version of this form'),
    index: z.int().describe('Its place in the log, from 0'),
    previous: hash.nullable().describe('The leaf hash of the entry before, base64; null for the first'),
    blind: z.base64().optional().describe('Random bytes, when the log is blinded'),
    time: moment.describe('When it was decided'),
    request: z.string().nullable().describe('The Request-Id of the request; null for what the vault did by itself'),
    operation: z.string().describe('What was asked, such as secret.read'),
    action: z.enum(ACTIONS).nullable().describe('The right that it needs; null when it has none of its own'),
    resource: z.string().describe('The name of the secret, or an alias of it, or the part of the vault'),
    principal: z.string().nullable().describe('Who asked; null for the vault itself, and who is not known yet'),
    token: z.string().nullable().describe('The accessor of the API token'),
    session: z.string().nullable().describe('The accessor of the session'),
    address: z.string().nullable().describe('From where'),
    agent: z.string().nullable().describe('The user agent, as it says'),
    rule: z.string().nullable().describe('The rule that decided; null for the default, deny'),
    outcome: z.string().describe('"ok", or the reason of the refusal'),
    severity: z.enum(SEVERITIES).describe('From notice on it is a security event'),
    facts: z.record(z.string(), z.unknown()).describe('What else belongs to it; never a value'),
  })
  .describe('One entry of the log of a Postern vault, in the canonical form of RFC 8785')

export type AuditEntry = z.output<typeof AuditEntry>

export const AuditEntries = z
  .strictObject({
    size: z.int().describe('Entries in the log when it was asked'),
    root: z.base64().describe('RFC 6962 root hash over all of them'),
    min: z.int().describe('The first entry that is kept: those before are past their retention'),
    frontier: z
      .array(hash)
      .optional()
      .describe('What stands for the entries before `min` in the tree: with the first entries that are kept'),
    entries: z.array(
      z.strictObject({ index: z.int(), body: z.string().describe('The canonical JSON that was hashed') }),
    ),
    next: z.int().optional().describe('Where the next page begins; a page may hold fewer entries than were asked for'),
  })
  .describe('Entries of the log')

/** What somebody did last, without what is only an auditor's. */
export const MyEntries = z.strictObject({
  items: z.array(
    AuditEntry.pick({ index: true, time: true, operation: true, resource: true, outcome: true, severity: true }).extend(
      { address: z.string().optional(), agent: z.string().optional() },
    ),
  ),
})

/** How the log stands, for whoever runs it. */
export const AuditStatus = z.strictObject({
  size: z.int(),
  min: z.int(),
  retentionDays: z.int(),
  hold: z.strictObject({ reason: z.string(), at: moment, by: z.string() }).optional(),
  checkpoint: z.strictObject({ size: z.int(), signedAt: moment }).optional(),
  keyTerm: z.int(),
  deliveries: z.array(
    z.strictObject({
      target: z.string(),
      mark: z.int(),
      lag: z.int().describe('Entries that it does not have yet'),
      deliveredAt: moment.optional(),
      failure: z.string().optional(),
      failingSince: moment.optional(),
    }),
  ),
})

export const RekeyedLog = z.strictObject({ term: z.int(), key: z.string().describe('The new verifier key') })

/** Why nothing of the log may be erased; `null` ends the hold. */
export const HoldLog = z.strictObject({ reason: line(1, 256).nullable() })

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,15})$/, 'Must be a whole number')
    .transform(Number)
    .refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`)
const version = number(1, Number.MAX_SAFE_INTEGER)
/** A number of ours; or what a provider calls a version, where digits alone are too many for a number. */
const anyVersion = z
  .string()
  .regex(/^(?:[1-9][0-9]{0,14}|(?=.*[A-Za-z_-]|[0-9]{16})[A-Za-z0-9_-]{1,64})$/, 'Must be a version')
  .transform((text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : text))

export const ReadQuery = z.strictObject({ version: anyVersion.optional() })
export const ListQuery = z.strictObject({
  prefix: by(parseNamePrefix).default(''),
  cursor: z.string().max(2048).optional(),
  limit: number(1, 200).default(50),
  deleted: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
})
export const NamesQuery = ListQuery.omit({ deleted: true })
export const RotationsQuery = z.strictObject({
  cursor: z.string().max(2048).optional(),
  limit: number(1, 200).default(50),
})
export const VersionsQuery = z.strictObject({ cursor: version.optional(), limit: number(1, 200).default(50) })
export const EntriesQuery = z.strictObject({
  from: number(0, Number.MAX_SAFE_INTEGER).default(0),
  limit: number(1, 1000).default(100),
  severity: z.enum(SEVERITIES).default('info').describe('Only those of this severity, and above'),
})
export const ExportQuery = EntriesQuery.extend({ format: z.enum(FORMATS).default('jsonl') })
export const MineQuery = z.strictObject({ limit: number(1, 200).default(50) })

const index = number(0, Number.MAX_SAFE_INTEGER)
export const InclusionQuery = z.strictObject({ size: index.optional() })
export const ConsistencyQuery = z.strictObject({ from: index, to: index })

/** Headers of a delete. */
export const DeleteHeaders = z.strictObject({
  // A strong entity tag of ours is the version number in quotes.
  'If-Match': z
    .string()
    .regex(/^"[1-9][0-9]{0,15}"$/, 'If-Match must be one version number in quotes')
    .transform((text) => Number(text.slice(1, -1)))
    .optional(),
})

/** Headers of a write. */
export const WriteHeaders = z.strictObject({
  'If-Match': z
    .string()
    .regex(/^"[^"]{1,64}"$/, 'If-Match must be one version in quotes')
    .transform((text) => text.slice(1, -1))
    .pipe(anyVersion)
    .optional(),
  'If-None-Match': z.literal('*').optional(),
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'Idempotency-Key must be 1 to 128 of visible ASCII')
    .optional(),
})

/**
 * Checks a request's body against its shape.
 *
 * @param root Named when the whole is wrong: `body`, `query` or `headers`.
 * @throws {PosternError} `bad_request` naming the first wrong field and the rule it breaks. Never the
 *   value, nor an unknown field's name: a value may have slipped into that place.
 */
export function check<T extends z.ZodType>(schema: T, input: unknown, root = 'body'): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path ?? []
  // Below tags and claims the names are the client's own.
  const own = path.findIndex((name) => name === 'tags' || name === 'claims')
  const names = (own < 0 ? path : path.slice(0, own + 1)).filter(
    (name) => typeof name === 'number' || /^[A-Za-z-]{1,32}$/.test(String(name)),
  )
  const message = issue?.code === 'unrecognized_keys' ? 'Unknown field' : (issue?.message ?? 'Invalid')
  throw badRequest(names.join('.') || root, message)
}

/** A schema over one of our own parsers, which throw. */
function by(parse: (input: unknown) => unknown) {
  return z.string().superRefine((input, context) => {
    try {
      parse(input)
    } catch (error) {
      const message = error instanceof PosternError ? error.message : 'Invalid'
      context.addIssue({ code: 'custom', message })
    }
  })
}

/** http only to loopback, for a provider on the same machine. */
function isIssuerUrl({ protocol, hostname, username, password, search, hash }: URL): boolean {
  const safe = protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname))
  return safe && !username && !password && !search && !hash
}

/** How many claims are really conditions: `iss` and `aud` are checked anyway, and `*` alone says nothing. */
function conditionsOf(claims: Record<string, readonly string[]>): number {
  const real = Object.entries(claims).filter(([name, globs]) => {
    return !['iss', 'aud', 'exp', 'iat', 'nbf', 'jti'].includes(name) && globs.every((glob) => !/^\*+$/.test(glob))
  })
  return real.length
}

/** GitHub signs for everybody, and only ids stay with their owner. */
function trustsById({ issuer, claims }: { issuer: string; claims: Record<string, readonly string[]> }): boolean {
  if (new URL(issuer).hostname !== 'token.actions.githubusercontent.com') return true
  const ids = [...(claims.repository_id ?? []), ...(claims.repository_owner_id ?? [])]
  return ids.length > 0 && ids.every((one) => /^[0-9]+$/.test(one))
}

function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text)
}
