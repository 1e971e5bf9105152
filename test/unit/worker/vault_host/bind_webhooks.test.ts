/** The URL of a webhook is bound into the envelope of its signing secret, also for webhooks from 0.1. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { randomBytes } from '../../../../core/bytes.ts'
import { seal } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { openWebhookSecret, sealWebhookSecret } from '../../../../core/sealing/webhook_secret.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { type Webhook, WebhookStore } from '../../../../core/vault/notifications/webhook_store.ts'
import { registryOf } from '../../../../worker/compose.ts'
import { openSqlite, type Sqlite } from '../../../../worker/local/sqlite.ts'
import { openVault } from '../../../../worker/vault_host/open_vault.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { bytesOf } from '../../../support/core.ts'

const VAULT = 'acme'
const OURS = 'https://hook.example/a'
const THEIRS = 'https://evil.example/a'
const rootKey = randomBytes(32)
const secret = canary()

let sql: Sqlite
let keyring: Keyring
let lines: string[]

beforeEach(async () => {
  sql = openSqlite(':memory:')
  keyring = await Keyring.open(new Redacted(rootKey))
  lines = []
  vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)))
})
afterEach(() => {
  vi.restoreAllMocks()
})

async function open(): Promise<void> {
  const settings = parseSettings({ environment: {} })
  const surroundings = { settings, registry: registryOf({ settings }, null), keyring, anchors: [] }
  await openVault(sql, VAULT, surroundings, () => {})
}

const row = () => new WebhookStore(sql).find('h')!
const opened = async (hook: Webhook) => Buffer.from((await openWebhookSecret(keyring, VAULT, hook)).reveal()).toString()
const boundEntries = () =>
  sql
    .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
    .map(({ body }) => JSON.parse(Buffer.from(body).toString()))
    .filter(({ operation }) => operation === 'hook.bind')

/** Stores a webhook as 0.1 did. */
async function putLegacy(url = OURS, kept?: Pick<Webhook, 'kid' | 'sealed'>): Promise<Pick<Webhook, 'kid' | 'sealed'>> {
  const kek = await keyring.currentKek(VAULT)
  const binding = { vault: VAULT, name: 'h', version: 0n, contentType: 'hook' }
  const hook = kept ?? { kid: kek.kid, sealed: await seal(kek, bytesOf(secret), binding) }
  new WebhookStore(sql).put({ id: 'h', url, ...hook, version: 1, updatedAt: 1, updatedBy: 'admin' })
  sql.all('UPDATE hook SET bound = 0')
  return hook
}

describe('the secret of a webhook', () => {
  it('row 77: opens with the URL that it was sealed for, and with no other', async () => {
    await open()
    const about = { vault: VAULT, id: 'h', url: OURS, term: 1 }
    const sealed = await sealWebhookSecret(keyring, about, new Redacted(bytesOf(secret)))
    new WebhookStore(sql).put({ id: 'h', url: OURS, ...sealed, version: 1, updatedAt: 1, updatedBy: 'admin' })
    expect(await opened(row())).toBe(secret)
    for (const url of [THEIRS, `${OURS}/`, OURS.toUpperCase(), '']) {
      sql.all('UPDATE hook SET url = ?', url)
      await expect(opened(row())).rejects.toMatchObject({ code: 'tampered' })
    }
  })

  it('from 0.1 is bound to its URL once, when its vault is opened, with an alert that shows only the origin', async () => {
    await open()
    await putLegacy()
    await open()
    expect(await opened(row())).toBe(secret)
    expect(boundEntries()).toMatchObject([
      { severity: 'alert', facts: { hooks: [{ hook: 'h', url: 'https://hook.example' }] } },
    ])
    const before = row()
    await open()
    expect(row()).toEqual(before)
    expect(boundEntries()).toHaveLength(1)
    expect(leaks(lines.join(), [secret])).toEqual([])
  })

  it('row 77: from 0.1 stays sealed and is logged when its row is restored with another URL', async () => {
    await open()
    const legacy = await putLegacy()
    await open()
    await putLegacy(THEIRS, legacy)
    await open()
    expect(row()).toMatchObject({ url: THEIRS, sealed: legacy.sealed })
    await expect(opened(row())).rejects.toMatchObject({ code: 'tampered' })
    expect(boundEntries()).toHaveLength(1)
    const told = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'hook_unbound')
    expect(told).toMatchObject([{ level: 'error', vault: VAULT, hook: 'h' }])
  })

  it('from 0.1 stays sealed without its root key, and others are bound all the same', async () => {
    await open()
    const other = await Keyring.open(new Redacted(randomBytes(32)))
    const kek = await other.currentKek(VAULT)
    const binding = { vault: VAULT, name: 'lost', version: 0n, contentType: 'hook' }
    const lost = { kid: kek.kid, sealed: await seal(kek, bytesOf('x'), binding) }
    new WebhookStore(sql).put({ id: 'lost', url: OURS, ...lost, version: 1, updatedAt: 1, updatedBy: 'admin' })
    await putLegacy()
    await open()
    expect(await opened(row())).toBe(secret)
    expect(lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'hook_unbound')).toMatchObject([
      { hook: 'lost' },
    ])
  })
})
