/**
 * The attacks that the tests try. The title of a test names its rows: `row 12: …`, `rows 8, 9: …`.
 *
 * @module
 */

/** An attack, and the defence. */
export interface Row {
  attack: string
  /** The outcome that the tests demand. */
  expected: string
  /** Why the row has no test: Postern lacks the target of the attack. */
  notHere?: string
}

const row = (attack: string, expected: string): Row => ({ attack, expected })

/** All rows, by number. Numbers are stable. */
export const ROWS: Record<number, Row> = {
  1: row('A sealed value is moved to another name, version or vault', 'It does not open'),
  2: row('A sealed value is altered, truncated or extended', 'It does not open, and the error does not say why'),
  3: row('The key id in a sealed value is replaced', 'No other key is tried'),
  4: row('A ciphertext is crafted to decrypt under two keys', 'The key commitment rejects it before decryption'),
  5: row(
    'A sealed value claims an older or unknown format',
    'It is refused. The old format opens only where it is expected',
  ),
  6: row('The same value is sealed many times', 'No key, salt or nonce repeats'),
  7: row('A key derivation is asked for too much or too little work', 'It is refused before any work'),
  8: row('A name has a lone surrogate or two spellings', 'It is refused, or decided on and logged as one name'),
  9: row('A name escapes its path with dots, slashes or escapes', 'It is refused before it becomes part of a URL'),
  10: row('A key or name reaches a prototype, or a key is duplicated', 'It is refused'),
  11: row('A name or token ends a header line', 'It is refused, and not echoed'),
  12: row('A body is too large, too deep or too slow, or misstates its length', 'It is refused within the limits'),
  13: row(
    'The server is given a URL inside its own network',
    'It sends no request there, in any spelling of the address',
  ),
  14: row('A store points to another host for the next page or for a token', 'No credential is sent there'),
  15: row('A store redirects', 'The redirect is not followed'),
  16: row('The first store denies a secret that the next store has', 'The denial stands'),
  17: row('A secret is deleted, disabled or expired', 'Each state has its own reason, and no value is released'),
  18: row("A store's status contradicts its body", 'The body decides'),
  19: row(
    'Two writes race, or a retry brings different data',
    'One write succeeds; the other gets a conflict and is not retried',
  ),
  20: row('A value is empty, binary or at the size limit', 'It is returned unchanged, or refused'),
  21: row('Many wrong codes arrive at once', 'No more are checked than the limit allows'),
  22: row('A lockout is evaded by another spelling of the name', 'Both spellings count as one'),
  23: row(
    'A lockout is used to keep the legitimate user out',
    'The user gets in from a known network or with a known key',
  ),
  24: row('An attacker tries to tell known, unknown and locked users apart', 'All get the same answer'),
  25: row('The counter of attempts is unavailable', 'No sign-in succeeds'),
  26: row('The client address is forged or missing', 'It is ignored, or admits no one'),
  27: row('An address range is sloppy, or a list is empty', 'It is refused. An empty list admits no one'),
  28: row('An attacker changes addresses within one network', 'They count as one source'),
  29: row('A code is used twice, late, or by several clients at once', 'It succeeds once'),
  30: row('A proof of possession is missing, old, replayed, or for another request', 'It is refused'),
  31: row('The token of an identity provider is unsigned, altered, or for another audience', 'It is refused'),
  32: row("An identity provider's keys are fetched endlessly, or are too many", 'Both are bounded'),
  33: row('A repository name is released and taken by another owner', 'Trust is by id'),
  34: {
    ...row('A device sign-in code is polled, redeemed twice or guessed', 'It is refused'),
    notHere: 'Postern has no such sign-in: a client exchanges a token, its own or that of an identity provider',
  },
  35: {
    ...row('An authorization code is reused, or used without its verifier', 'It is refused'),
    notHere: 'Postern is neither an authorization server nor a browser client of one, and issues no codes',
  },
  36: row('A session is used after sign-out, disabling, loss of a right, or expiry', 'It is refused at once'),
  37: row(
    'A token of one vault or principal is used for the resources of another',
    'It gets nothing, and learns nothing',
  ),
  38: row('A rule pattern is crafted to match more than it states', 'It matches what it states'),
  39: row('An approval is self-approved, used twice, or used for another request', 'It is refused'),
  40: row('A rotation dies at any step, or runs twice', 'It ends with one valid credential'),
  41: row(
    'The log is edited, truncated, reordered, forked or rolled back',
    'The verifier reports it, with the position',
  ),
  42: row(
    'The storage fails, fills up, is killed, or is older than its anchor',
    'Nothing is released, and nothing acknowledged is lost',
  ),
  43: row('Old log entries are erased', 'The rest can still be proven. A legal hold prevents erasure'),
  44: row('A value leaks into a log, an error, a header, a file or a URL', 'It appears there in no encoding'),
  45: row('A name or user agent carries line breaks or control characters into the log', 'They are kept out'),
  46: row('An error carries internal details from the vault to the edge', 'Only its reason crosses'),
  47: row('A page of another origin calls the API', 'It reads nothing, and forges nothing'),
  48: row('Some kind of answer lacks the protective headers', 'All answers have them'),
  49: row('A pattern causes slow matching', 'The time grows linearly with the input'),
  50: row('Refusals are sent to trip the breaker, or retries to cause a storm', 'Neither happens'),
  51: row('A cached value outlives a revocation, or is swapped', 'It is not served'),
  52: row('A clock is wrong, or jumps', 'It opens nothing, and locks no one out for long'),
  53: row('Two texts of different length are compared', 'They are unequal, without an error'),
  54: row('A request uses a method that the route does not have', 'It is refused, and reveals no length'),
  55: row('A sealed answer is for another request, key or algorithm', 'It is refused'),
  56: row('A caller of the API redirects the export of the log', 'No route sets the destination'),
  57: row('An error echoes the input', 'It names only the field and the rule'),
  58: row('A session is renewed with a different key', 'It is refused'),
  59: row('A refused sign-in leaves a session behind', 'It leaves none'),
  60: row('A path to a value bypasses the log', 'Every request has its entry'),
  61: row('State is changed without a token', 'Every route that changes state requires one'),
  62: row(
    'An existing root key is unreadable, hidden by an empty setting, or lost',
    'No new key is generated in its place',
  ),
  63: row(
    'Backups of one vault, or of a newer log, are in the folder of another',
    'They cause no backup to be removed',
  ),
  64: row(
    'A data folder or vault file disappears, or is emptied',
    'Nothing more is acknowledged, and no new vault replaces it',
  ),
  65: row("An operator's ticket is forged, late, reused, or for another vault or purpose", 'It is refused'),
  66: row(
    'A write or rotation meets a document of another shape',
    'Its other fields are kept, or the request is refused before it is sent',
  ),
  67: row(
    'A store answers with numbers, nulls or keys that a parser would change',
    'They are passed on unchanged, or refused',
  ),
  68: row('A replica lacks a secret while the primary is unavailable', 'It is an outage, not an absence'),
  69: row('One unreadable secret is requested again and again', 'The other secrets of its store stay readable'),
  70: row(
    'The environment names a proxy, or disables certificate checks',
    'No request goes through it, and the server says so at start',
  ),
  71: row(
    'A caller without read access asks for something that depends on a value',
    'The outcome does not reveal the value',
  ),
  72: row('A change is too large for its log entry', 'It is refused, and nothing is changed'),
  73: row('A demand for approvals is bypassed by a renewed trust, a bare token or broken glass', 'The demand stands'),
  74: row('A dead token, a stolen session or a replayed proof is tried', 'It is recorded, and limited'),
  75: row('A clock is set back behind the newest log entry', 'Expired credentials stay expired'),
  76: row('The assertion of a workload is replayed, with another key or too late', 'It is refused, and recorded'),
  77: row(
    'A trigger, view, table or URL is added to the file of a vault',
    'It is reported, and the vault is not served',
  ),
  78: row(
    'An anchor is removed, or the history since a checkpoint is rewritten',
    'The server or the verifier reports it',
  ),
  79: row('The index of the log is emptied, or its end behind a checkpoint is edited', 'The verifier reports it'),
  80: row(
    'A folder or another machine chooses programs that run with secrets in the editor',
    'The user is asked, or it is refused',
  ),
  81: row('A value does not fit into the environment of a program', 'It is refused by name before the program starts'),
}
