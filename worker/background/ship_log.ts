/**
 * Ships the log to a collector or a webhook. It never holds up a request: entries that are not sent yet wait in the log
 * itself, behind a mark.
 *
 * @module
 */

import { type Bytes, parseUtf8 } from '../../core/bytes.ts'
import { PosternError } from '../../core/errors.ts'
import { render } from '../../core/export/render.ts'
import { send } from '../../core/http/send.ts'
import { parseWebhookSecret, signWebhook } from '../../core/http/webhook_signature.ts'
import type { ReadFile } from '../../core/providers/credential_file.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { originOf } from '../integrity/sign_checkpoint.ts'
import { bearerHeader, bearerSource, type CredentialSource, credentialSource } from '../operator_credentials.ts'
import { toOperator } from '../outbound.ts'
import type { VaultServices } from '../vault_services.ts'
import type { Job } from './scheduler.ts'

/** The sink of entries, by the name under which the vault keeps how far it has come; another host starts from the beginning. */
export function sinkOf({ settings }: Pick<VaultServices, 'settings'>): string[] {
  const { sinkUrl } = settings.audit
  return sinkUrl === undefined ? [] : [`sink:${new URL(sinkUrl).host}`]
}

const MAX_ENTRIES = 500
const MAX_BYTES = 512 * 1024
/** How many posts one run makes, so that other jobs have their turn. */
const MAX_POSTS = 20

/** What posts to the sink are sent with. */
export interface SinkCredentials {
  token: CredentialSource | undefined
  secret: CredentialSource<Bytes> | undefined
}

/** The credentials for the sink. */
export function sinkCredentials({ audit }: Pick<Settings, 'audit'>, readFile: ReadFile | undefined): SinkCredentials {
  const { sinkToken, sinkTokenFile, sinkSecret, sinkSecretFile } = audit
  const token = { value: sinkToken, path: sinkTokenFile, setting: 'POSTERN_AUDIT__SINK_TOKEN_FILE' }
  const secret = { value: sinkSecret, path: sinkSecretFile, setting: 'POSTERN_AUDIT__SINK_SECRET_FILE' }
  return { token: bearerSource(token, readFile), secret: credentialSource(secret, readFile, parseWebhookSecret) }
}

/** Posts the entries that the sink lacks, oldest first, each at least once. @param afterWriteMs How soon after a write. */
export function shipLog(afterWriteMs: number, credentials: SinkCredentials): Job {
  return {
    name: 'shipping',
    afterWriteMs,
    async run(services) {
      const [target = ''] = sinkOf(services)
      let mark = (await services.perform('delivery.find', { target }))?.mark ?? 0
      let limit = MAX_ENTRIES
      for (let posts = 0; posts < MAX_POSTS; posts++) {
        const batch = await services.perform('audit.batch', { from: mark, limit, maxBytes: MAX_BYTES })
        const entries = batch.entries.map(({ body }) => parseUtf8(body)!)
        // Reports of deliveries alone are not posted: each post would make another.
        if (entries.every((entry) => isReportOf(entry, target))) return null
        const status = await post(services, credentials, batch.start, entries)
        if (status === 413 && entries.length > 1) limit = Math.floor(entries.length / 2)
        else if (status === null || status < 200 || status > 299) throw await failed(services, target, status)
        else {
          mark = batch.start + entries.length
          await services.perform('delivery.report', { target, mark })
        }
      }
      return Date.now()
    },
  }
}

function isReportOf(entry: string, target: string): boolean {
  if (!entry.includes('"delivery.report"')) return false
  const { operation, facts } = JSON.parse(entry)
  return operation === 'delivery.report' && facts?.target === target
}

async function failed(services: VaultServices, target: string, status: number | null): Promise<PosternError> {
  await services.perform('delivery.report', { target, failure: status === null ? 'unavailable' : `status_${status}` })
  return new PosternError('unavailable', 'Sink did not take entries')
}

/** @returns The status of the answer; `null` without one. */
async function post(
  services: VaultServices,
  { token, secret }: SinkCredentials,
  start: number,
  entries: string[],
): Promise<number | null> {
  const { sinkUrl = '', sinkFormat } = services.settings.audit
  const log = originOf(services)
  const { contentType, body } = render(entries, sinkFormat, log)
  // The range of entries, so that a receiver recognizes those that it has.
  const id = `${log}/${start}-${start + entries.length - 1}`
  const message = { id, timestampSeconds: Math.floor(Date.now() / 1000), body }
  try {
    const headers = {
      'Content-Type': contentType,
      ...(await bearerHeader(token)),
      ...(secret && (await signWebhook(await secret(), message))),
    }
    return (await send(sinkUrl, { method: 'POST', headers, body }, toOperator(services))).status
  } catch {
    return null
  }
}
