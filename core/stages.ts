/**
 * The stages of versions, and the words by which a request selects a version.
 *
 * @module
 */

/** The stages of versions that have the same meaning in every store. */
export const STAGES = ['current', 'previous', 'pending'] as const
/** One of {@link STAGES}. */
export type Stage = (typeof STAGES)[number]

/** Whether a requested version is a stage. */
export function isStage(version: unknown): version is Stage {
  return (STAGES as readonly unknown[]).includes(version)
}

/** Whether a requested version is a stage, or a staging label that AWS itself sets, such as `AWSPREVIOUS`. */
export function isStageWord(version: unknown): version is string {
  return isStage(version) || (typeof version === 'string' && /^AWS[A-Z]+$/.test(version))
}

/**
 * Whether a requested version has the form of an id that no two stores share, as those of AWS (32 to 64 characters) and
 * Azure (32) do. Any other version may stand for another value in another store.
 */
export function isUniqueVersionId(version: string): boolean {
  return /^[!-~]{32,64}$/.test(version)
}
