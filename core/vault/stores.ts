/**
 * The rows of a vault, each kind behind the store that knows its tables.
 *
 * @module
 */
import { RateLimiter } from '../rate_limit.ts'
import type { Sha256 } from '../tlog/merkle.ts'
import { FactorStore } from './access/factor_store.ts'
import { IssuerStore } from './access/issuer_store.ts'
import { Lockout } from './access/lockout.ts'
import { AccessStore } from './access/principal_store.ts'
import type { ServerPolicy } from './access/server_policy.ts'
import { SessionStore } from './access/session_store.ts'
import { TicketStore } from './access/ticket_store.ts'
import { ApprovalStore } from './approvals/approval_store.ts'
import { BreakGlassStore } from './approvals/break_glass_store.ts'
import { CheckpointStore } from './audit/checkpoint_store.ts'
import { DeliveryStore } from './audit/delivery_store.ts'
import { Log } from './audit/log.ts'
import { LogKeyStore } from './audit/log_key_store.ts'
import { RetentionStore } from './audit/retention_store.ts'
import { CacheStore } from './chains/cache_store.ts'
import { ChainStore } from './chains/chain_store.ts'
import { HealthStore } from './chains/health_store.ts'
import { ReplicationStore } from './chains/replication_store.ts'
import type { Erasures } from './erasures.ts'
import { KeyStore } from './keys/key_store.ts'
import { RootKeyStore } from './keys/root_key_store.ts'
import { MetaStore } from './meta_store.ts'
import { NotificationStore } from './notifications/store.ts'
import { WebhookStore } from './notifications/webhook_store.ts'
import { RotationStore } from './rotation/store.ts'
import { SecretStore } from './secrets/store.ts'
import { ValuePolicyStore } from './secrets/value_policy_store.ts'
import type { Sql } from './sql.ts'

/** The stores of a vault. */
export interface Stores {
  secrets: SecretStore
  access: AccessStore
  sessions: SessionStore
  factors: FactorStore
  lockout: Lockout
  tickets: TicketStore
  issuers: IssuerStore
  chains: ChainStore
  cache: CacheStore
  /** In memory: how often each principal had a provider called past the cache. */
  revalidations: RateLimiter
  replication: ReplicationStore
  health: HealthStore
  approvals: ApprovalStore
  breakGlass: BreakGlassStore
  policy: ValuePolicyStore
  hooks: WebhookStore
  rotations: RotationStore
  notices: NotificationStore
  keys: KeyStore
  roots: RootKeyStore
  log: Log
  logKeys: LogKeyStore
  checkpoints: CheckpointStore
  retention: RetentionStore
  deliveries: DeliveryStore
  meta: MetaStore
}

/** What the stores need beside their rows. */
export interface StoreOptions {
  policy: ServerPolicy
  /** Noted by each store that erases sealed values. */
  erasures: Erasures
  /** The runtime's own SHA-256, where it has a synchronous one. */
  sha256?: Sha256 | undefined
}

/** Makes the stores of a vault whose schema is the newest. Reads nothing. */
export function openStores(sql: Sql, { policy, erasures, sha256 }: StoreOptions): Stores {
  return {
    secrets: new SecretStore(sql, erasures),
    access: new AccessStore(sql),
    sessions: new SessionStore(sql, policy.sessionIdleMs),
    factors: new FactorStore(sql, erasures),
    lockout: new Lockout(sql, policy),
    tickets: new TicketStore(sql),
    issuers: new IssuerStore(sql),
    chains: new ChainStore(sql),
    cache: new CacheStore(sql, erasures),
    revalidations: new RateLimiter(),
    replication: new ReplicationStore(sql),
    health: new HealthStore(sql),
    approvals: new ApprovalStore(sql),
    breakGlass: new BreakGlassStore(sql),
    policy: new ValuePolicyStore(sql, policy.complexityFloor),
    hooks: new WebhookStore(sql, erasures),
    rotations: new RotationStore(sql),
    notices: new NotificationStore(sql),
    keys: new KeyStore(sql),
    roots: new RootKeyStore(sql),
    log: new Log(sql, sha256),
    logKeys: new LogKeyStore(sql),
    checkpoints: new CheckpointStore(sql),
    retention: new RetentionStore(sql),
    deliveries: new DeliveryStore(sql),
    meta: new MetaStore(sql),
  }
}

/** Drops what stores keep in memory: call it when a transaction was rolled back. */
export function forgetAll({ access, tickets, chains, policy, keys }: Stores): void {
  for (const store of [access, tickets, chains, policy, keys]) store.forget()
}
