/**
 * One value of a secret that is a JSON document, for reads with `field` and references with a pointer.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { utf8 } from '../../core/bytes.ts'
import { refusal } from '../../core/errors.ts'
import { pickTyped } from '../../core/reference.ts'
import * as wire from '../../core/wire/index.ts'

/**
 * Replaces the value of a secret by what a JSON pointer finds in it.
 *
 * @param index The entry that records the read, for the refusal.
 * @throws {PosternError} `not_found` with reason `no_pointer`
 */
export function pickField(
  whole: z.input<typeof wire.Secret>,
  pointer: string,
  index: number | null,
): z.input<typeof wire.Secret> {
  const picked = whole.encoding === undefined ? pickTyped(whole.value, pointer) : null
  if (picked === null || utf8(picked.text).length > wire.MAX_VALUE_BYTES)
    throw refusal('no_pointer', index === null ? {} : { auditIndex: index })
  return { ...whole, value: picked.text, contentType: picked.contentType }
}
