/**
 * Variables in references.
 *
 * @module
 */

/**
 * Expands `${NAME}` and `${NAME:-default}` once. The values of variables are not expanded.
 *
 * @returns The text, or the name of the first unset variable.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): { text: string } | { missing: string } {
  let missing: string | undefined
  const expanded = text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]{0,127})(?::-([^}\n]{0,512}))?\}/g,
    (_, name: string, fallback?: string) => {
      const value = variables.get(name) || fallback
      if (value === undefined) missing ??= name
      return value ?? ''
    },
  )
  return missing === undefined ? { text: expanded } : { missing }
}
