/**
 * A provider in front of prepared answers of AWS.
 *
 * @module
 */
import type { Provider } from '../../../../../core/providers/provider.ts'
import type { Reply } from '../../../../support/fakes/fake.ts'

export const SECRET = 'canary-of-a-secret-access-key-0123456789'

export const NOW = Date.UTC(2026, 0, 1)

export const signal = () => AbortSignal.timeout(5_000)

export const failed = (type: string, message = '', status = 400): Reply => ({
  status,
  body: { __type: type, Message: message },
})

export const ok = (body: unknown): Reply => ({ status: 200, body })

export const read = (provider: Provider, version?: string) =>
  provider.get('prod/db', { signal: signal(), ...(version ? { version } : {}) })
