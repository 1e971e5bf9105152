/**
 * A rotation target behind a webhook: see docs/how-to/rotation.md for the contract.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, parseUtf8, utf8 } from '../bytes.ts'
import { DEFAULT_CONTENT_TYPE } from '../encoding.ts'
import { PosternError } from '../errors.ts'
import { type SendOptions, send } from '../http/send.ts'
import { signWebhook } from '../http/webhook_signature.ts'
import { parseJson } from '../json.ts'
import { Redacted } from '../redacted.ts'
import { type Credential, type RotationTarget, TargetFailure, type TargetStep } from './target.ts'

/** The time for one step of a target; shorter than a lease. */
const TIMEOUT_MS = 30_000
const MAX_VALUE_BYTES = 64 * 1024
/** JSON may write a character of one byte as six. */
const MAX_ANSWER_BYTES = 6 * MAX_VALUE_BYTES + 64 * 1024
/** The 4xx statuses that are not about the request itself. */
const PASSING = [408, 425, 429]

/** The response of a target to `create`. */
const Created = z.object({
  value: z.string().check(z.minLength(1)),
  encoding: z.optional(z.literal('base64')),
  contentType: z.optional(z.string().check(z.regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/))),
})

/** The URL and the signing secret of a webhook. */
export interface WebhookAddress {
  url: string
  secret: Redacted<Bytes>
}

/** The target behind a webhook. */
export function webhookTarget(address: WebhookAddress, options: SendOptions): RotationTarget {
  const tell = (type: keyof RotationTarget) => async (step: TargetStep) => {
    return post(address, messageOf(type, step), options)
  }
  const told = (type: keyof RotationTarget) => async (step: TargetStep) => {
    await tell(type)(step)
    return null
  }
  return {
    create: async (step) => createdOf(await tell('create')(step)),
    set: told('set'),
    test: told('test'),
    finish: told('finish'),
    undo: told('undo'),
  }
}

interface Message {
  id: string
  body: string
}

/** A step has the same id at each attempt. */
function messageOf(type: keyof RotationTarget, step: TargetStep): Message {
  const { vault, name, run, fence, version, pending, current, previous } = step
  const data = {
    ...{ vault, secret: name, run, fence },
    ...(version !== null && { version }),
    ...(pending && { pending: shown(pending) }),
    ...(current && { current: shown(current) }),
    ...(previous && { previous: shown(previous) }),
  }
  const body = JSON.stringify({ type: `rotation.${type}`, timestamp: new Date().toISOString(), data })
  return { id: `rotation_${vault}_${run}_${type}`, body }
}

function shown({ version, value, encoding, contentType }: Credential): Record<string, unknown> {
  const text = encoding === 'utf8' ? parseUtf8(value.reveal()) : base64(value.reveal())
  return { version, value: text, ...(encoding === 'base64' && { encoding }), contentType }
}

async function post(
  { url, secret }: WebhookAddress,
  { id, body }: Message,
  options: SendOptions,
): Promise<{ status: number; body: Bytes }> {
  const timestampSeconds = Math.floor(Date.now() / 1000)
  const headers = {
    'Content-Type': 'application/json',
    ...(await signWebhook(secret, { id, timestampSeconds, body })),
  }
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES }
  const answer = await send(url, { method: 'POST', headers, body }, { ...options, ...limits }).catch((error) => {
    throw error instanceof PosternError ? new TargetFailure('unreachable') : error
  })
  const { status } = answer
  if (status >= 200 && status < 300) return answer
  // A response about this request is final. A redirect is not one, and is not followed.
  throw new TargetFailure(status >= 400 && status < 500 && !PASSING.includes(status) ? 'refused' : 'unreachable')
}

function createdOf({ status, body }: { status: number; body: Bytes }): Omit<Credential, 'version'> | null {
  if (status === 204 || body.length === 0) return null
  let json: unknown
  try {
    json = parseJson(body)
  } catch {
    throw new TargetFailure('unreadable')
  }
  // A target that creates no value may respond with anything that has no `value`.
  if (typeof json !== 'object' || json === null || !('value' in json)) return null
  const { data } = Created.safeParse(json)
  const value = data && (data.encoding === 'base64' ? parseBase64(data.value) : utf8(data.value))
  if (!data || !value || value.length > MAX_VALUE_BYTES || !data.value.isWellFormed())
    throw new TargetFailure('unreadable')
  const encoding = data.encoding ?? 'utf8'
  return { value: new Redacted(value), encoding, contentType: data.contentType ?? DEFAULT_CONTENT_TYPE[encoding] }
}
