/**
 * The forms of credentials, by which a log takes them out and the editor points at them: one list for both.
 *
 * The two uses err on opposite sides. A log takes out everything that begins like a credential, even when it was cut. The
 * editor reports only a whole credential, with its checksum where it has one. All quantifiers that something follows are
 * bounded, so both are linear in the text.
 *
 * @module
 */

/** One form of a credential. */
export interface CredentialForm {
  /** What it is, such as `github-token`. */
  kind: string
  /** Matches a whole credential in the issuer's format. Has the flag `g`. */
  whole: RegExp
  /** The group of `whole` that is secret; all of the match when not given. */
  group?: 1
  /** Whether the checksum of a match is right. */
  holds?: (token: string) => boolean
  /**
   * The beginning that gives a credential away. Absent for a form that begins with common letters: a log searches every
   * entry, and those would cost it microseconds each.
   */
  trace?: RegExp
}

/** Every form that is known. */
export const CREDENTIAL_FORMS: readonly CredentialForm[] = [
  {
    kind: 'private-key',
    whole: /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\s\\:,.-]{32,8192}?-----END/g,
    // Any kind of PEM block: a log line has no use for a certificate either.
    trace: /-----BEGIN [A-Z ]{3,30}-----/,
  },
  {
    kind: 'github-token',
    whole: /\bgh[pousr]_[A-Za-z0-9]{36}\b/g,
    holds: checksumHolds,
    trace: /gh[oprsu]_[A-Za-z0-9]{20,}/,
  },
  {
    kind: 'github-token',
    whole: /\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b/g,
    trace: /github_pat_[A-Za-z0-9_]{20,}/,
  },
  {
    kind: 'npm-token',
    whole: /\bnpm_[A-Za-z0-9]{36}\b/g,
    holds: checksumHolds,
  },
  {
    kind: 'aws-access-key',
    whole: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g,
    trace: /A[KS]IA[A-Z0-9]{16}/,
  },
  {
    kind: 'slack-token',
    whole: /\bxox[abeprs]-[A-Za-z0-9-]{10,250}/g,
    trace: /xox[abeprs]-[0-9][A-Za-z0-9-]{9,}/,
  },
  {
    kind: 'stripe-key',
    whole: /\b[rs]k_live_[A-Za-z0-9]{16,128}\b/g,
  },
  {
    kind: 'google-key',
    whole: /\bAIza[A-Za-z0-9_-]{35}\b/g,
    trace: /AIza[A-Za-z0-9_-]{30,}/,
  },
  {
    kind: 'gitlab-token',
    whole: /\bglpat-[A-Za-z0-9_-]{20,64}\b/g,
    trace: /glpat-(?=[a-z_-]{0,60}[0-9A-Z])[A-Za-z0-9_-]{20,}/,
  },
  {
    kind: 'sendgrid-key',
    whole: /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/g,
    trace: /SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{20,}/,
  },
  {
    kind: 'api-key',
    whole: /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,200}\b/g,
  },
  {
    kind: 'postern-token',
    whole: /\bps[st]_[a-z0-9-]{1,32}_[A-Za-z0-9]{65}\b/g,
    trace: /ps[ts]_[a-z0-9-]{1,32}_[0-9A-Za-z]{20,}/,
  },
  {
    kind: 'postern-ticket',
    whole: /\bpso_[a-z0-9-]{1,32}_[A-Za-z0-9_-]{64,2000}/g,
    trace: /pso_[a-z0-9-]{1,32}_[A-Za-z0-9_-]{20,}/,
  },
  {
    kind: 'vault-token',
    whole: /\bhvs\.[A-Za-z0-9_-]{24,300}/g,
    trace: /hvs\.[A-Za-z0-9_-]{20,}/,
  },
  {
    kind: 'jwt',
    whole: /\beyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{20,2048}/g,
    trace: /eyJ[A-Za-z0-9_-]{8,256}\.[A-Za-z0-9_-]{8,}/,
  },
  {
    kind: 'azure-key',
    whole: /\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43,86}={0,2})/g,
    group: 1,
  },
  {
    kind: 'password-in-url',
    whole: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'`<>]{1,128}:([^\s:@/"'`<>]{3,128})@/g,
    group: 1,
  },
]

/** Every beginning that gives a credential away. Global. */
export const CREDENTIAL_TRACE = new RegExp(CREDENTIAL_FORMS.flatMap(({ trace }) => trace?.source ?? []).join('|'), 'g')

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Whether a token ends with the CRC-32 of what is between prefix and checksum, in base62, as GitHub's and npm's do. */
function checksumHolds(token: string): boolean {
  const body = token.slice(token.indexOf('_') + 1, -6)
  let left = crc32(body)
  let digits = ''
  for (let i = 0; i < 6; i++) {
    digits = BASE62[left % 62]! + digits
    left = Math.floor(left / 62)
  }
  return token.endsWith(digits)
}

function crc32(text: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
