/**
 * The attacks that Postern is tried with. A test says by its name which it is of: `row 12: …`, `rows 8, 9: …`.
 *
 * @module
 */

export interface Row {
  attack: string
  /** What must come of it. */
  expected: string
  /** Why there is no test: the thing that is attacked does not exist. */
  notHere?: string
}

const row = (attack: string, expected: string): Row => ({ attack, expected })

/** By their number, which stays. */
export const ROWS: Record<number, Row> = {
  1: row('A sealed value is put in the place of another name, version or vault', 'It does not open'),
  2: row('A sealed value is changed in any byte, cut short, or made longer', 'It does not open, and does not say why'),
  3: row('The id of the key in a sealed value is replaced', 'No other key is tried'),
  4: row('A ciphertext is made to open under two keys', 'The commitment refuses it before it is decrypted'),
  5: row(
    'A sealed value claims an older or unknown format',
    'It is refused; the old format only where it was asked for',
  ),
  6: row('The same value is sealed again and again', 'No key, salt or nonce comes twice'),
  7: row('A key derivation is asked for too much work, or too little', 'It is refused before any work'),
  8: row('A name has a lone surrogate, or two spellings', 'It is refused'),
  9: row('A name climbs out of its place: dots, slashes, escapes', 'It is refused before an address is made of it'),
  10: row('A key or name reaches a prototype; a key stands twice', 'It is refused'),
  11: row('A name or token ends a header line', 'It is refused, and not repeated'),
  12: row('A body is too large, too deep, too slow, or lies about its length', 'It is refused within limits'),
  13: row('An address that the server is to ask is on the inside', 'It is not asked, however it is spelled'),
  14: row('A store points to another host for the next page or for a token', 'No credential is sent there'),
  15: row('A store redirects', 'It is not followed'),
  16: row('The first store denies, and the next would give', 'The denial stands'),
  17: row('A secret is gone, switched off, or past its end', 'Each is told apart, and nothing is given'),
  18: row('A store says one thing by its status and another by its body', 'It is read as the body says'),
  19: row('Two write at once; a repeat brings other data', 'One succeeds, the other is a conflict and is not repeated'),
  20: row('A value is empty, binary, or at the limit of its size', 'It comes back as it was, or is refused'),
  21: row('Many wrong codes at once', 'No more are checked than the limit allows'),
  22: row('A lock is evaded by another spelling', 'It counts as the same'),
  23: row('A lock is used to keep the rightful one out', 'From a known place or key it gets in'),
  24: row('Known, unknown and locked users are told apart', 'All are answered alike'),
  25: row('What counts attempts cannot be asked', 'Nobody is let in'),
  26: row('The address of a client is forged, or missing', 'It is ignored, or nobody is let in by it'),
  27: row('An address range is sloppy, or the list is empty', 'It is refused; an empty list lets nobody in'),
  28: row('An attacker changes its address within one network', 'It counts as one'),
  29: row('A code is used twice, late, or by several at once', 'One succeeds'),
  30: row('A proof of possession is missing, old, repeated, or for something else', 'It is refused'),
  31: row('The token of an identity provider is unsigned, altered, or for somebody else', 'It is refused'),
  32: row('The keys of an identity provider are asked for without end, or are too many', 'Bounded'),
  33: row('A repository is given up and its name taken by another', 'Trust goes by ids'),
  34: {
    ...row('A sign-in by a code on another device is polled, redeemed twice or guessed', 'Refused'),
    notHere: 'There is no such sign-in: a client exchanges a token, or one of an identity provider',
  },
  35: {
    ...row('A code of an authorization flow is used again or without its verifier', 'Refused'),
    notHere: 'Postern is no authorization server and no browser client of one: it gives out no codes',
  },
  36: row('A session goes on after sign-out, disabling, a lost right, or its time', 'It is refused at once'),
  37: row('The token of one vault or principal is used for what is of another', 'Nothing is given or told'),
  38: row('A pattern of a rule is made to cover more than it says', 'It covers what it says'),
  39: row('An approval is given by the one who asks, used twice, or for something else', 'It is refused'),
  40: row('A rotation dies at any step, or goes on twice', 'It ends with one credential that is good'),
  41: row('The log is edited, cut, reordered, forked or rolled back', 'The verifier says so, and where'),
  42: row(
    'Storage fails, is full, is killed, or is older than its anchor',
    'Nothing is released; nothing acknowledged is lost',
  ),
  43: row('Old entries are erased', 'What is left can still be proven; under a hold nothing is erased'),
  44: row(
    'A value strays into a log, an error, a header, a file or an address',
    'It is not found there in any encoding',
  ),
  45: row('A name or agent brings line breaks or control characters into the log', 'They do not get in'),
  46: row('An error crosses from the vault to the edge with what it knew', 'Only its reason does'),
  47: row('A page of another origin asks', 'It gets nothing, and forges nothing'),
  48: row('An answer of any kind lacks the protecting headers', 'All have them'),
  49: row('A pattern makes matching slow', 'Time grows with the length, and no faster'),
  50: row('Refusals are sent to trip the breaker, or retries to make a storm', 'Neither happens'),
  51: row('A cached value outlives a revocation, or is swapped', 'It is not served'),
  52: row('A clock is wrong, or jumps', 'Nothing opens by it, and nobody is shut out for long'),
  53: row('Two texts of unequal length are compared', 'They are unequal, and nothing breaks'),
  54: row('A method that a route does not have', 'It is refused, and tells no length'),
  55: row('A sealed answer is for another request, key or algorithm', 'It is refused'),
  56: row('The log is sent elsewhere by whoever can ask the API', 'No route says where it goes'),
  57: row('An error repeats what was sent', 'It names the field and the rule'),
  58: row('A session is renewed with another key', 'It is refused'),
  59: row('A refused sign-in leaves a session behind', 'It leaves none'),
  60: row('A way in passes the log by', 'Every request has its entry'),
  61: row('State is changed without a token', 'Every route that could asks for one'),
  62: row(
    'A root key that is there cannot be read, is hidden by an empty setting, or has gone',
    'No other is made in its place',
  ),
  63: row('Backups of one vault, or of a newer log, are in the folder of another', 'No backup is removed for them'),
  64: row(
    'A data folder or a vault file vanishes, or is emptied',
    'Nothing more is acknowledged, and no new vault takes its place',
  ),
  65: row('A ticket of the operator is forged, late, used again, or for another vault or purpose', 'It is refused'),
  66: row(
    'A write or a rotation meets a document of another shape',
    'Its other fields stay, or the request is refused before it is sent',
  ),
  67: row(
    'A store answers with numbers, nulls or keys that a parser would change',
    'They are passed on as they came, or refused',
  ),
  68: row('A replica lacks what the primary, which is away, would have', 'It is an outage, not an absence'),
  69: row('One secret that cannot be read is asked for again and again', 'The others of its store are still read'),
  70: row(
    'The environment names a proxy, or switches certificates off',
    'Nothing goes through it, and the start says so',
  ),
  71: row('Who may not read a value asks for something that depends on it', 'The outcome does not tell the value'),
  72: row('A change is too large for its entry', 'It is refused, and nothing is changed'),
  73: row('A demand for approvals is washed out: by a trust put again, a bare token, or broken glass', 'It stands'),
  74: row('A dead token, a stolen session or a proof sent again is tried', 'It is recorded, and limited'),
  75: row('A clock is set back behind the newest entry of the log', 'What had expired stays expired'),
  76: row(
    'The assertion of a workload is presented again, with another key or too late',
    'It is refused, and recorded',
  ),
  77: row('A trigger, a view, a table or an address is put into the file of a vault', 'It is named, and not served'),
  78: row(
    'An anchor is removed, or history since a kept checkpoint is written anew',
    'The server or the verifier says so',
  ),
  79: row(
    'What points to entries of the log is emptied, or the end behind a checkpoint edited',
    'The verifier says so',
  ),
  80: row(
    'A folder, or another machine, chooses what runs with secrets in the editor',
    'It is asked about, or refused',
  ),
  81: row(
    'A value cannot be held by the environment of a program',
    'It is refused by its name before the program starts',
  ),
}
