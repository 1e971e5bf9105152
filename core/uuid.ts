/**
 * UUIDs (RFC 9562) as Postern writes them: in lower case.
 *
 * @module
 */

/** The source of a regular expression for a UUID. */
export const UUID_PATTERN = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'

/** The form of a UUID. */
export const UUID = new RegExp(`^${UUID_PATTERN}$`)
