/**
 * Every table of a vault, and what makes it: the data that `migrate.ts` works with.
 *
 * One vault is one database: a Durable Object, or one SQLite file. So no table has a vault column,
 * and no query can reach another tenant's rows.
 *
 * @module
 */
/**
 * Numbered migrations, oldest first. Never edit one that was released: add the next.
 * Times are milliseconds since the Unix epoch.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    // Facts about the vault as a whole, such as which root key seals it.
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
    // Principals. They are disabled and never deleted: the log still names them.
    `CREATE TABLE principal (
      id TEXT PRIMARY KEY,
      kind TEXT NOT NULL CHECK (kind IN ('user', 'service')),
      created_at INTEGER NOT NULL,
      disabled_at INTEGER
    )`,
    // API tokens, by keyed hash. The accessor is an id that is safe to show and to log.
    `CREATE TABLE token (
      hash BLOB PRIMARY KEY,
      accessor TEXT NOT NULL UNIQUE,
      principal TEXT NOT NULL REFERENCES principal (id),
      label TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      created_by TEXT NOT NULL,
      expires_at INTEGER,
      revoked_at INTEGER
    ) WITHOUT ROWID`,
    'CREATE INDEX token_by_principal ON token (principal)',
    // Rules, each as the JSON that core/wire/index.ts defines. The version counts its changes.
    `CREATE TABLE rule (
      id TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      body TEXT NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    )`,
    // A name, and which version is current. Numbers are never handed out twice, not even after
    // destroy: latest only grows. current is null when all versions are destroyed.
    `CREATE TABLE secret (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      current INTEGER,
      previous INTEGER,
      latest INTEGER NOT NULL,
      tags TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      deleted_at INTEGER
    )`,
    // One sealed value. kid names the key that wraps its DEK; sealed is null once destroyed.
    `CREATE TABLE version (
      secret INTEGER NOT NULL REFERENCES secret (id),
      number INTEGER NOT NULL,
      kid TEXT NOT NULL,
      sealed BLOB,
      content_type TEXT NOT NULL,
      encoding TEXT NOT NULL CHECK (encoding IN ('utf8', 'base64')),
      created_at INTEGER NOT NULL,
      created_by TEXT NOT NULL,
      expires_at INTEGER,
      destroyed_at INTEGER,
      PRIMARY KEY (secret, number)
    )`,
    // What a write with an Idempotency-Key did, so that a repeat of it does nothing. fingerprint
    // is a keyed hash of the request.
    `CREATE TABLE idempotency (
      principal TEXT NOT NULL,
      key TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      name TEXT NOT NULL,
      number INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (principal, key)
    ) WITHOUT ROWID`,
    'CREATE INDEX idempotency_by_age ON idempotency (created_at)',
    // The log: entry n in its canonical bytes, and the hashes of its tree by position
    // (core/tlog/merkle.ts).
    'CREATE TABLE entry (n INTEGER PRIMARY KEY, body BLOB NOT NULL)',
    'CREATE TABLE hash (p INTEGER PRIMARY KEY, h BLOB NOT NULL)',
  ],
  [
    // Sessions, by keyed hash, short-lived. token is the API token that it was made from; a
    // federated one has the identity provider's trust instead. jkt is the thumbprint of the key that it is bound to.
    `CREATE TABLE session (
      hash BLOB PRIMARY KEY,
      accessor TEXT NOT NULL UNIQUE,
      principal TEXT NOT NULL REFERENCES principal (id),
      token TEXT REFERENCES token (accessor),
      method TEXT NOT NULL CHECK (method IN ('session', 'federated')),
      issuer TEXT,
      jkt TEXT,
      created_at INTEGER NOT NULL,
      seen_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      mfa_at INTEGER,
      address TEXT,
      agent TEXT,
      revoked_at INTEGER
    ) WITHOUT ROWID`,
    'CREATE INDEX session_by_principal ON session (principal)',
    'CREATE INDEX session_by_expiry ON session (expires_at)',
    // A principal's TOTP secrets, sealed: a confirmed one, and a pending one. id identifies the secret that a code was
    // checked against; last_step is the time step of the last code taken.
    `CREATE TABLE totp (
      principal TEXT NOT NULL REFERENCES principal (id),
      id TEXT NOT NULL,
      kid TEXT NOT NULL,
      sealed BLOB NOT NULL,
      last_step INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      confirmed_at INTEGER,
      PRIMARY KEY (principal, id)
    ) WITHOUT ROWID`,
    // Recovery codes that were not used yet, by keyed hash.
    `CREATE TABLE recovery_code (
      principal TEXT NOT NULL REFERENCES principal (id),
      hash TEXT NOT NULL,
      PRIMARY KEY (principal, hash)
    ) WITHOUT ROWID`,
    // Failed attempts by principal and source: access/lockout.ts.
    `CREATE TABLE attempt (
      principal TEXT NOT NULL,
      source TEXT NOT NULL,
      failures INTEGER NOT NULL,
      last_at INTEGER NOT NULL,
      locked_until INTEGER,
      success_at INTEGER,
      PRIMARY KEY (principal, source)
    ) WITHOUT ROWID`,
    'CREATE INDEX attempt_by_age ON attempt (last_at)',
    // Marks of DPoP proofs and federated assertions, which count once, until they would expire. by is the request that
    // used the mark: one request may call its vault several times.
    'CREATE TABLE used (id TEXT PRIMARY KEY, by TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID',
    'CREATE INDEX used_by_expiry ON used (expires_at)',
    // Identity providers whose tokens open a session, each as the JSON that core/wire/index.ts defines.
    `CREATE TABLE issuer (
      id TEXT PRIMARY KEY,
      url TEXT NOT NULL,
      version INTEGER NOT NULL,
      body TEXT NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    ) WITHOUT ROWID`,
    'CREATE INDEX issuer_by_url ON issuer (url)',
    // Signed tree heads, by the size of the tree.
    'CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, signed_at INTEGER NOT NULL)',
  ],
  [
    // How far back the log goes (audit/log_retention.ts): entries below min are erased. Entries below announced follow,
    // once a checkpoint covers entry announced_at, the announcement; a hold stops that.
    `CREATE TABLE retention (
      only INTEGER PRIMARY KEY CHECK (only = 0),
      min INTEGER NOT NULL,
      announced INTEGER NOT NULL,
      announced_at INTEGER NOT NULL,
      announced_when INTEGER NOT NULL,
      hold TEXT,
      held_at INTEGER,
      held_by TEXT
    )`,
    'INSERT INTO retention (only, min, announced, announced_at, announced_when) VALUES (0, 0, 0, 0, 0)',
    // The terms of the log's key after the first, with the verifier key of each.
    'CREATE TABLE log_key (term INTEGER PRIMARY KEY, key TEXT NOT NULL, created_at INTEGER NOT NULL)',
    // How far sinks, anchors and witnesses have come: audit/delivery_tasks.ts.
    `CREATE TABLE delivery (
      target TEXT PRIMARY KEY,
      mark INTEGER NOT NULL,
      delivered_at INTEGER,
      failure TEXT,
      failing_since INTEGER
    ) WITHOUT ROWID`,
    // The entries of a principal, for its own history.
    'ALTER TABLE entry ADD COLUMN principal TEXT',
    'CREATE INDEX entry_by_principal ON entry (principal, n) WHERE principal IS NOT NULL',
    // The entries that are security events, from severity 1 (notice) on: readers can filter by severity.
    'CREATE TABLE notable (n INTEGER PRIMARY KEY, severity INTEGER NOT NULL)',
  ],
  [
    'ALTER TABLE idempotency ADD COLUMN provided TEXT',
    // The providers of each pattern, as the JSON that core/wire/index.ts defines.
    `CREATE TABLE chain (
      id TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      body TEXT NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    ) WITHOUT ROWID`,
    // Answers of providers (chains/cache_store.ts): a sealed value, or an absence. asked is the requested version, ''
    // for the current one; revision is the chain's at that time.
    `CREATE TABLE cached (
      name TEXT NOT NULL,
      asked TEXT NOT NULL,
      revision TEXT NOT NULL,
      provider TEXT NOT NULL,
      version TEXT,
      kid TEXT,
      sealed BLOB,
      content_type TEXT,
      encoding TEXT,
      created_at INTEGER,
      expires_at INTEGER,
      failure TEXT,
      fetched_at INTEGER NOT NULL,
      keep_until INTEGER NOT NULL,
      PRIMARY KEY (name, asked)
    )`,
    'CREATE INDEX cached_by_end ON cached (keep_until)',
    // When a name changed: an earlier read must not be cached.
    'CREATE TABLE cache_barrier (name TEXT PRIMARY KEY, raised_at INTEGER NOT NULL) WITHOUT ROWID',
    'CREATE INDEX cache_barrier_by_age ON cache_barrier (raised_at)',
    // Replicas that have to catch up with the primary (chains/replication_store.ts). mark differs for each write; since
    // is when the oldest write that has not arrived began.
    `CREATE TABLE replication (
      name TEXT NOT NULL,
      provider TEXT NOT NULL,
      effect TEXT NOT NULL CHECK (effect IN ('write', 'delete')),
      mark TEXT NOT NULL,
      since INTEGER NOT NULL,
      due_at INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      failure TEXT,
      PRIMARY KEY (name, provider)
    ) WITHOUT ROWID`,
    'CREATE INDEX replication_by_due ON replication (due_at)',
    // Names whose replicas are compared now and then, by keyed digest. differs is null before the first time.
    `CREATE TABLE compared (
      name TEXT NOT NULL,
      provider TEXT NOT NULL,
      digest TEXT,
      differs INTEGER,
      compared_at INTEGER NOT NULL,
      PRIMARY KEY (name, provider)
    ) WITHOUT ROWID`,
    'CREATE INDEX compared_by_age ON compared (compared_at)',
    // How each provider was when it was last looked at.
    `CREATE TABLE provider_health (
      provider TEXT PRIMARY KEY,
      state TEXT NOT NULL,
      failure TEXT,
      since INTEGER NOT NULL,
      looked_at INTEGER NOT NULL
    ) WITHOUT ROWID`,
  ],
  [
    // The accessor of the API token that a token was made with: who could act through it (approvals/approval.ts).
    'ALTER TABLE token ADD COLUMN minted_with TEXT',
    // Requests for approval. hash is of body, which holds the exact request; hands is the lineage of the requester, as
    // JSON.
    `CREATE TABLE approval (
      id TEXT PRIMARY KEY,
      hash TEXT NOT NULL,
      body TEXT NOT NULL,
      operation TEXT NOT NULL,
      action TEXT NOT NULL,
      resource TEXT NOT NULL,
      requester TEXT NOT NULL,
      hands TEXT NOT NULL,
      reason TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('open', 'rejected', 'withdrawn', 'used')),
      ended_at INTEGER,
      ended_by TEXT,
      ended_why TEXT
    ) WITHOUT ROWID`,
    'CREATE INDEX approval_by_requester ON approval (requester, state)',
    'CREATE INDEX approval_by_age ON approval (created_at)',
    // Approvals that were given, one a principal.
    `CREATE TABLE vote (
      approval TEXT NOT NULL,
      principal TEXT NOT NULL,
      token TEXT,
      session TEXT,
      at INTEGER NOT NULL,
      PRIMARY KEY (approval, principal)
    ) WITHOUT ROWID`,
    // Each use of broken glass (approvals/break_glass.ts), and its review.
    `CREATE TABLE break_glass (
      id TEXT PRIMARY KEY,
      principal TEXT NOT NULL,
      session TEXT NOT NULL,
      reason TEXT NOT NULL,
      began_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      ended_at INTEGER,
      reviewed_at INTEGER,
      reviewed_by TEXT,
      review TEXT
    ) WITHOUT ROWID`,
    'CREATE INDEX break_glass_by_session ON break_glass (session)',
    // The vault's policy, as the JSON that core/wire/index.ts defines.
    `CREATE TABLE policy (
      only INTEGER PRIMARY KEY CHECK (only = 0),
      version INTEGER NOT NULL,
      body TEXT NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    )`,
    // Webhooks, each with its sealed signing secret.
    `CREATE TABLE hook (
      id TEXT PRIMARY KEY,
      url TEXT NOT NULL,
      kid TEXT NOT NULL,
      sealed BLOB NOT NULL,
      version INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    )`,
    // Notifications for the policy's webhook, until it took them.
    `CREATE TABLE notice (
      id INTEGER PRIMARY KEY,
      type TEXT NOT NULL,
      data TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      next_at INTEGER NOT NULL,
      attempts INTEGER NOT NULL
    )`,
    // The version that a rotation is making valid; what made a version, if not a write; when it became current.
    'ALTER TABLE secret ADD COLUMN pending INTEGER',
    'ALTER TABLE version ADD COLUMN why TEXT',
    'ALTER TABLE version ADD COLUMN current_at INTEGER',
    // How secrets rotate: body is the JSON that core/wire/index.ts defines. fence grows with each turn at a run.
    `CREATE TABLE rotation (
      secret INTEGER PRIMARY KEY REFERENCES secret (id),
      body TEXT NOT NULL,
      version INTEGER NOT NULL,
      next_at INTEGER,
      fence INTEGER NOT NULL,
      failures INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      updated_by TEXT NOT NULL
    )`,
    'CREATE INDEX rotation_by_next ON rotation (next_at)',
    // Rotations that run, one a secret at most, and those that did: rotation/state_machine.ts. body is the configuration
    // as it was at the start; fence is of the turn that was taken last.
    `CREATE TABLE run (
      id INTEGER PRIMARY KEY,
      secret INTEGER NOT NULL REFERENCES secret (id),
      why TEXT NOT NULL CHECK (why IN ('schedule', 'manual', 'rollback')),
      by TEXT NOT NULL,
      restores INTEGER,
      body TEXT NOT NULL,
      number INTEGER,
      replaces INTEGER,
      step TEXT NOT NULL CHECK (step IN ('create', 'set', 'test', 'finish', 'undo')),
      fence INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      failure TEXT,
      next_at INTEGER NOT NULL,
      started_at INTEGER NOT NULL,
      finished_at INTEGER,
      outcome TEXT CHECK (outcome IN ('rotated', 'undone', 'abandoned'))
    )`,
    'CREATE UNIQUE INDEX run_active ON run (secret) WHERE outcome IS NULL',
    'CREATE INDEX run_by_secret ON run (secret, id)',
    'CREATE INDEX run_by_next ON run (next_at) WHERE outcome IS NULL',
    // Terms of the vault's key (core/crypto/keyring.ts). moved counts the rows that were rewrapped to this term, failed
    // those that could not be; stage and cursor hold the progress. done_at: no row is sealed under an older term since.
    `CREATE TABLE term (
      number INTEGER PRIMARY KEY,
      started_at INTEGER NOT NULL,
      started_by TEXT,
      stage INTEGER NOT NULL,
      cursor INTEGER NOT NULL,
      moved INTEGER NOT NULL,
      failed INTEGER NOT NULL,
      done_at INTEGER
    )`,
    // The same table, with numbers for its rows: a move to another term goes through them in order.
    'ALTER TABLE totp RENAME TO totp_before',
    `CREATE TABLE totp (
      principal TEXT NOT NULL REFERENCES principal (id),
      id TEXT NOT NULL,
      kid TEXT NOT NULL,
      sealed BLOB NOT NULL,
      last_step INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      confirmed_at INTEGER,
      PRIMARY KEY (principal, id)
    )`,
    'INSERT INTO totp SELECT * FROM totp_before',
    'DROP TABLE totp_before',
    // A vault begins with its first term.
    'INSERT INTO term SELECT 1, MIN(applied_at), NULL, 0, 0, 0, 0, MIN(applied_at) FROM migration',
  ],
  [
    // For a token that a federated session made: the last principal who changed the issuer. See approval.ts.
    'ALTER TABLE token ADD COLUMN trusted_by TEXT',
  ],
  [
    // The root key of each row, by its id (keys/root_key_store.ts): the newest term's is the vault's own. Tokens and
    // recovery codes are stored as a hash under a key that derives from it, and cannot move to another.
    ...['term', 'token', 'session', 'recovery_code', 'log_key'].flatMap((table) => [
      `ALTER TABLE ${table} ADD COLUMN root TEXT`,
      `UPDATE ${table} SET root = (SELECT value FROM meta WHERE key = 'root')`,
    ]),
    "DELETE FROM meta WHERE key = 'root'",
    // The rows that the last round of a move could not move, by their stage.
    'CREATE TABLE unmoved (stage INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (stage, at)) WITHOUT ROWID',
  ],
  [
    // Rotations of names that a provider keeps, in place of the sealed store; and of a run there, where it is and the key of
    // a repeat, as JSON: rotation/provider_rotation.ts.
    'ALTER TABLE rotation ADD COLUMN provided INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE run ADD COLUMN provided TEXT',
    // Until when a replica that lags may be read: afterwards what it has is not valid any more.
    'ALTER TABLE replication ADD COLUMN serve_until INTEGER',
  ],
  [
    // The lineage of an approver, as JSON; for an approval in a federated session, the issuer as it was then.
    'ALTER TABLE vote ADD COLUMN hands TEXT',
    'ALTER TABLE vote ADD COLUMN issuer TEXT',
    'ALTER TABLE vote ADD COLUMN revision TEXT',
  ],
  [
    // The lineage of an issuer, and of a principal who broke the glass, as JSON.
    'ALTER TABLE issuer ADD COLUMN hands TEXT',
    'ALTER TABLE break_glass ADD COLUMN hands TEXT',
    // The lineage of the issuer that a token was made through, as a JSON list.
    'UPDATE token SET trusted_by = json_array(trusted_by) WHERE trusted_by IS NOT NULL',
  ],
  // 0.2.
  [
    // Tickets of the operator that opened the vault (core/authentication/ticket.ts), each with the token that it gave last; spent_at
    // is when that token was first used.
    `CREATE TABLE ticket (
      nonce TEXT PRIMARY KEY,
      accessor TEXT NOT NULL,
      given_at INTEGER NOT NULL,
      spent_at INTEGER
    ) WITHOUT ROWID`,
    // When a comparison was tried and could not be made, since the last one that was (chains/replication_store.ts).
    'ALTER TABLE compared ADD COLUMN tried_at INTEGER NOT NULL DEFAULT 0',
    // Whether the shape of what a replica has may be replaced: 'shape', or null.
    'ALTER TABLE replication ADD COLUMN replaces TEXT',
    // All principals who ever wrote an issuer of this id and URL, also after its deletion (access/issuer_store.ts).
    `CREATE TABLE issuer_hand (
      id TEXT NOT NULL,
      url TEXT NOT NULL,
      principal TEXT NOT NULL,
      PRIMARY KEY (id, url, principal)
    ) WITHOUT ROWID`,
    `INSERT INTO issuer_hand SELECT issuer.id, url, value FROM issuer,
      json_each(COALESCE(issuer.hands, json_array(issuer.updated_by)))`,
    // Whether the envelope binds the URL (core/sealing/webhook_secret.ts). Rows of 0.1 do not, until they are sealed
    // again.
    'ALTER TABLE hook ADD COLUMN bound INTEGER NOT NULL DEFAULT 0',
    // The tags that the store sent with the value, as JSON (chains/cache_store.ts).
    'ALTER TABLE cached ADD COLUMN tags TEXT',
  ],
]

/** How many migrations there are. */
export const NEWEST_SCHEMA = MIGRATIONS.length

/**
 * The role of a table in proofs that its rows are the ones that the vault wrote.
 *
 * - `access`: the rows decide rights, destinations of values, or valid keys. Only an operation of an administrator or
 *   of the operator changes them.
 * - `live`: the rows hold current state, and marks that count once. Any write may change them.
 * - `neither`: the rows can be rebuilt from others or from outside, or are the log itself, which has its own proofs.
 */
export type TableKind = 'access' | 'live' | 'neither'

/** Every table. A column that is of another kind than its table is named in the comment. */
export const TABLES: Readonly<Record<string, TableKind>> = {
  // Which earlier root keys were known, and the id of the vault: `probe` and what the log has noted already are neither.
  meta: 'access',
  principal: 'access',
  token: 'access',
  rule: 'access',
  issuer: 'access',
  issuer_hand: 'access',
  hook: 'access',
  chain: 'access',
  policy: 'access',
  // Its schedule (next_at, fence, failures) is live.
  rotation: 'access',
  // Its last step is live.
  totp: 'access',
  retention: 'access',
  // How far a move has come is neither.
  term: 'access',
  log_key: 'access',
  migration: 'access',
  // When it was seen last is neither.
  session: 'live',
  secret: 'live',
  version: 'live',
  recovery_code: 'live',
  approval: 'live',
  vote: 'live',
  break_glass: 'live',
  used: 'live',
  // A used mark would open the vault again.
  ticket: 'live',
  attempt: 'live',
  run: 'live',
  // A repeated write that was forgotten would be done twice.
  idempotency: 'live',
  // A barrier that is gone would have an older value cached; a replica that no longer lags would be read.
  cached: 'live',
  cache_barrier: 'live',
  replication: 'live',
  notice: 'live',
  // The mark of an anchor shows that there was one.
  delivery: 'live',
  // The log, and what points to its entries.
  entry: 'neither',
  hash: 'neither',
  notable: 'neither',
  checkpoint: 'neither',
  // Rebuilt by the next comparison, check or move.
  compared: 'neither',
  provider_health: 'neither',
  unmoved: 'neither',
}
