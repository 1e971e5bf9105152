/**
 * The rows of rotations and of their runs.
 *
 * @module
 */
import type { Member } from '../../providers/chain.ts'
import type { Sql } from '../sql.ts'
import { thawed } from './schedule.ts'
import type { RotationConfig, RunFailure, RunOutcome, Step } from './state_machine.ts'

/** How a secret rotates, and when it is due. */
export interface Rotation {
  secret: number
  name: string
  config: RotationConfig
  /** Whether a provider kept the secret when this was set. */
  provided: boolean
  version: number
  /** When the next run begins by itself; `null`: by hand only. */
  nextAt: number | null
  /** Grows with each lease of a run of this secret, and never shrinks. */
  fence: number
  /** The number of consecutive runs that changed nothing. */
  failures: number
  updatedAt: number
  updatedBy: string
}

/** The facts of a run at a provider: where the secret is, and the token that identifies a repeated step. */
export interface ProviderRun {
  /** The primary of the chain when the run began. If another provider is the primary by now, the run is undone. */
  member: Member
  /** How the name was written there: see `mappingOf`. */
  mapping?: string
  /** The id of the new version, where the provider takes one; its idempotency key elsewhere. */
  token: string
  /** The version that was current when the value was made: check-and-set. */
  expects?: string
  /** Set when a document that is kept there may be replaced by the value. */
  replace?: 'shape' | undefined
  /** The provider's name for the new version, once it is known. */
  version?: string
}

/** One run of a rotation. */
export interface Run {
  id: number
  secret: number
  name: string
  why: 'schedule' | 'manual' | 'rollback'
  by: string
  /** The version whose value it brings back; `null`: it makes a new one. */
  restores: number | null
  /** The configuration as it was when the run began. Later changes apply to the next run. */
  config: RotationConfig
  /** Where it is and how far, when a provider keeps the secret; `null`: here. */
  provided: ProviderRun | null
  /** The version that is pending, and then current. */
  number: number | null
  /** The version that was current before. */
  replaces: number | null
  step: Step
  /** How often the step was begun. */
  attempts: number
  failure: RunFailure | null
  /** When the step may be begun next: a wait, a grace, or the time that the last who began it has. */
  nextAt: number
  startedAt: number
  finishedAt: number | null
  outcome: RunOutcome | null
}

/** How many rotations are how. */
export interface RotationCount {
  due: number
  running: number
  failed: number
  frozen: number
  nextAt: number | null
}

type RotationRow = Omit<Rotation, 'config' | 'provided'> & { body: string; provided: number }
type RunRow = Omit<Run, 'config' | 'provided'> & { body: string; provided: string | null }

const ROTATION = `rotation.secret, name, body, provided, rotation.version, next_at AS nextAt, fence, failures,
  rotation.updated_at AS updatedAt, updated_by AS updatedBy FROM rotation JOIN secret ON secret.id = rotation.secret`
const RUN = `run.id, run.secret, name, why, run.by, restores, body, provided, number, replaces, step, attempts, failure, next_at AS nextAt,
  started_at AS startedAt, finished_at AS finishedAt, outcome FROM run JOIN secret ON secret.id = run.secret`
/** Only the provider knows whether its secret exists. */
const LIVE = '(rotation.provided = 1 OR (secret.deleted_at IS NULL AND secret.current IS NOT NULL))'
/** Rotations of live secrets without a running run. */
const RESTING = `${LIVE} AND NOT EXISTS (SELECT 1 FROM run WHERE run.secret = rotation.secret AND outcome IS NULL)`
/** How many ended runs of a secret are kept for display. */
const KEEP_RUNS = 50
/** The most rotations with a freeze that are read to count those due. */
const MAX_FROZEN = 1000

/** The rows of rotations and their runs. */
export class RotationStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  find(secret: number): Rotation | null {
    return this.#sql.all<RotationRow>(`SELECT ${ROTATION} WHERE rotation.secret = ?`, secret).map(rotationOf)[0] ?? null
  }

  /** Rotations by name, behind the name `after`. */
  list(after: string, limit: number): Rotation[] {
    return this.#sql
      .all<RotationRow>(`SELECT ${ROTATION} WHERE name > ? ORDER BY name LIMIT ?`, after, limit)
      .map(rotationOf)
  }

  /** Stores how a secret rotates. The fence stays: it must not go back when a rotation is deleted and put again. */
  put(rotation: Pick<Rotation, 'secret' | 'config' | 'provided' | 'nextAt' | 'updatedAt' | 'updatedBy'>): void {
    const { secret, config, provided, nextAt, updatedAt, updatedBy } = rotation
    this.#sql.all(
      `INSERT INTO rotation (secret, body, provided, version, next_at, fence, failures, updated_at, updated_by)
       VALUES (?, ?, ?, 1, ?, (SELECT COALESCE(MAX(fence), 0) FROM run WHERE run.secret = ?), 0, ?, ?)
       ON CONFLICT DO UPDATE SET body = excluded.body, provided = excluded.provided, version = version + 1,
       next_at = excluded.next_at, failures = 0, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
      ...[secret, JSON.stringify(config), Number(provided), nextAt, secret, updatedAt, updatedBy],
    )
  }

  delete(secret: number): void {
    this.#sql.all('DELETE FROM rotation WHERE secret = ?', secret)
  }

  /** Stores when a secret is due next, and the number of consecutive runs that changed nothing. */
  reschedule(secret: number, nextAt: number | null, failures: number): void {
    this.#sql.all('UPDATE rotation SET next_at = ?, failures = ? WHERE secret = ?', nextAt, failures, secret)
  }

  /** Names of secrets that are due and do not rotate yet. */
  due(now: number, limit: number): string[] {
    const query = `SELECT name FROM rotation JOIN secret ON secret.id = rotation.secret
      WHERE rotation.next_at <= ? AND ${RESTING} ORDER BY rotation.next_at LIMIT ?`
    return this.#sql.all<{ name: string }>(query, now, limit).map(({ name }) => name)
  }

  /** Runs whose step can be begun now. */
  ready(now: number, limit: number): { name: string; run: number }[] {
    const query = `SELECT name, run.id AS run FROM run JOIN secret ON secret.id = run.secret
      WHERE outcome IS NULL AND run.next_at <= ? ORDER BY run.next_at LIMIT ?`
    return this.#sql.all(query, now, limit)
  }

  /** When the next step or rotation is due; `null` when there is none. */
  nextAt(): number | null {
    const query = `SELECT MIN(next_at) AS nextAt FROM (
      SELECT MIN(next_at) AS next_at FROM run WHERE outcome IS NULL
      UNION ALL SELECT MIN(rotation.next_at) FROM rotation JOIN secret ON secret.id = rotation.secret
      WHERE ${RESTING})`
    return this.#sql.all<{ nextAt: number | null }>(query)[0]!.nextAt
  }

  /** How many are due, run, failed last and must not begin now; and when the next of those that do not run is due. */
  count(now: number): RotationCount {
    const resting = `FROM rotation JOIN secret ON secret.id = rotation.secret WHERE ${RESTING}`
    const [counted] = this.#sql.all<Omit<RotationCount, 'frozen'>>(
      `SELECT COALESCE(SUM(rotation.next_at <= ?), 0) AS due, MIN(rotation.next_at) AS nextAt,
       (SELECT COUNT(*) FROM run WHERE outcome IS NULL) AS running,
       (SELECT COUNT(*) FROM rotation WHERE failures > 0) AS failed ${resting}`,
      now,
    )
    const frozen = this.#sql
      .all<{ body: string }>(`SELECT body ${resting} AND body NOT LIKE '%"freeze":[]%' LIMIT ?`, MAX_FROZEN)
      .filter(({ body }) => thawed((JSON.parse(body) as RotationConfig).freeze, now) !== now).length
    return { ...counted!, frozen }
  }

  run(id: number): Run | null {
    return this.#sql.all<RunRow>(`SELECT ${RUN} WHERE run.id = ?`, id).map(runOf)[0] ?? null
  }

  /** The run of a secret that has not ended. */
  active(secret: number): Run | null {
    return this.#sql.all<RunRow>(`SELECT ${RUN} WHERE run.secret = ? AND outcome IS NULL`, secret).map(runOf)[0] ?? null
  }

  /** Runs of a secret, newest first. */
  runs(secret: number, limit: number): Run[] {
    return this.#sql
      .all<RunRow>(`SELECT ${RUN} WHERE run.secret = ? ORDER BY run.id DESC LIMIT ?`, secret, limit)
      .map(runOf)
  }

  /** Begins a run, and forgets the oldest of many. */
  start(run: Pick<Run, 'secret' | 'why' | 'by' | 'restores' | 'config' | 'step' | 'provided' | 'startedAt'>): number {
    const { secret, why, by, restores, config, step, provided, startedAt } = run
    this.#sql.all(
      `DELETE FROM run WHERE secret = ? AND outcome IS NOT NULL AND id <=
       (SELECT id FROM run WHERE secret = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      ...[secret, secret, KEEP_RUNS - 1],
    )
    const [row] = this.#sql.all<{ id: number }>(
      `INSERT INTO run (secret, why, by, restores, body, step, provided, fence, attempts, next_at, started_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?) RETURNING id`,
      ...[secret, why, by, restores, JSON.stringify(config), step],
      ...[provided && JSON.stringify(provided), startedAt, startedAt],
    )
    return row!.id
  }

  /**
   * Takes the lease of a run until `until`.
   *
   * @returns The fence of this lease: higher than any before for this secret.
   */
  claim({ id, secret }: Run, until: number): number {
    const fence = this.#nextFence(secret)
    this.#sql.all('UPDATE run SET fence = ?, attempts = attempts + 1, next_at = ? WHERE id = ?', fence, until, id)
    return fence
  }

  /** Whether a lease is still the last one, of a run that has not ended. */
  holds(id: number, fence: number): boolean {
    return this.#sql.all('SELECT 1 FROM run WHERE id = ? AND fence = ? AND outcome IS NULL', id, fence).length === 1
  }

  /** Ends a lease: from now on its holder comes too late. */
  interrupt({ id, secret }: Run): void {
    this.#sql.all('UPDATE run SET fence = ? WHERE id = ?', this.#nextFence(secret), id)
  }

  /** Goes to a step, which may be begun from `nextAt` on. */
  goto(id: number, { step, nextAt, failure }: { step: Step; nextAt: number; failure: RunFailure | null }): void {
    this.#sql.all(
      `UPDATE run SET attempts = CASE WHEN step = ? THEN attempts ELSE 0 END, step = ?, next_at = ?,
       failure = COALESCE(?, failure) WHERE id = ?`,
      ...[step, step, nextAt, failure, id],
    )
  }

  setVersions(id: number, number: number | null, replaces: number | null): void {
    this.#sql.all('UPDATE run SET number = ?, replaces = ? WHERE id = ?', number, replaces, id)
  }

  setProvided(id: number, provided: ProviderRun): void {
    this.#sql.all('UPDATE run SET provided = ? WHERE id = ?', JSON.stringify(provided), id)
  }

  end(id: number, outcome: RunOutcome, failure: RunFailure | null, now: number): void {
    this.#sql.all(
      'UPDATE run SET outcome = ?, failure = COALESCE(?, failure), finished_at = ? WHERE id = ?',
      ...[outcome, failure, now, id],
    )
  }

  /** Includes the fence of the last run: the rotation may have been deleted and put again while that run continued. */
  #nextFence(secret: number): number {
    const query = `SELECT MAX(fence) + 1 AS fence FROM
      (SELECT fence FROM run WHERE secret = ? UNION ALL SELECT fence FROM rotation WHERE secret = ?)`
    const { fence } = this.#sql.all<{ fence: number }>(query, secret, secret)[0]!
    this.#sql.all('UPDATE rotation SET fence = ? WHERE secret = ?', fence, secret)
    return fence
  }
}

function rotationOf({ body, provided, ...row }: RotationRow): Rotation {
  return { ...row, config: JSON.parse(body), provided: provided === 1 }
}

function runOf({ body, provided, ...row }: RunRow): Run {
  return { ...row, config: JSON.parse(body), provided: provided === null ? null : JSON.parse(provided) }
}
