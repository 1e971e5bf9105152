/**
 * The behaviour that all providers share, tested against a fake in `npm test`, and against an emulator or the service
 * itself in `npm run test:live`.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NameMap } from '../../core/providers/name_map.ts'
import { type Provider, ProviderFailure, type ProviderPutOptions } from '../../core/providers/provider.ts'
import { folded, isStoreName, type Naming, storeName } from '../../core/providers/store_names.ts'
import { Redacted } from '../../core/redacted.ts'
import { canary, leaks } from '../support/canary.ts'
import { bytesOf } from '../support/core.ts'

/** A store to try, and what it can. */
export interface Store {
  provider: Provider
  naming: Naming
  /** The same store asked with credentials that are wrong, where it looks at them. */
  stranger: Provider | null
  /** Whether it keeps old versions. */
  versioned: boolean
  /** Whether the store recognizes a retried write by its key. */
  remembersWrites: boolean
  /** Whether it keeps binary values. */
  bytes: boolean
  /** Whether the server takes a name, where it takes fewer than its kind of store. */
  takes?: (name: string) => boolean
  /** Set if the store marks no value as text or as bytes: bytes that are UTF-8 come back as text. */
  untyped?: true
  empty: 'kept' | 'refused'
  /** The largest value in bytes, where the adapter knows it. */
  maxBytes: number | null
  /** The outcome for a deleted secret. */
  deleted: 'deleted' | 'not_found'
  /** Whether an absent secret has an empty history. Some emulators fail instead. */
  tellsAbsentHistory: boolean
  /**
   * A document that others own, as they keep it: fields, or a text that is declared to be JSON, or known to be keys and
   * values. Not where a text is all that there is.
   */
  foreign?: {
    write: (name: string, source: string) => Promise<void>
    /** All that the store has under a name, in its own letters. */
    read: (name: string) => Promise<string>
    /** What the store makes of the letters of a document. */
    kept: (source: string) => string
  }
  /** After the last test: lets go of what `remove` left to be recovered. */
  purge?: (name: string) => Promise<void>
}

const TIMEOUT_MS = 60_000
/** Ends of names that people use. */
const NAMES_OF_PEOPLE = [
  ...['/Prod/DB_Password', '-secret', '-AbC123', '-', '/my+key', '/my@key', '/x=y', '!db', '.', '/.env', '/_x'],
  ...[
    '/Team A/db',
    ' ',
    '/Schlüssel',
    '/鍵',
    '?x=1',
    '#x',
    '%',
    '/100%',
    '%20x',
    ':x',
    '/a/b/c/d/e/f/g/h/i/j/k',
    "'x'",
  ],
]

/** Runs the contract. `open` is called once. */
export function providerContract(title: string, open: () => Promise<Store>): void {
  describe(title, { timeout: TIMEOUT_MS }, () => {
    // Secrets of this run and no others, even where several run against one store.
    const root = `postern-live/${randomBytes(5).toString('hex')}x`
    const used = new Set<string>()
    const values: string[] = []
    const failures: ProviderFailure[] = []
    let store: Store
    let provider: Provider

    beforeAll(async () => {
      store = await open()
      provider = store.provider
    }, TIMEOUT_MS)

    afterAll(async () => {
      for (const name of used) {
        await provider.remove(name, { signal: signal() }).catch(() => {})
        await store.purge?.(name)
      }
    }, TIMEOUT_MS)

    const signal = () => AbortSignal.timeout(TIMEOUT_MS)
    const key = () => randomBytes(20).toString('hex')

    /** A .env file has no folders. */
    const inStore = (name: string) => (store.naming === 'env' ? name.replaceAll('/', '.') : name)

    function nameOf(label: string): string {
      const name = `${root}/${label}`
      const stored = storeName(store.naming, inStore(name))
      used.add(stored)
      return stored
    }

    function fresh(): string {
      const value = canary()
      values.push(value)
      return value
    }

    function put(name: string, value: string | Uint8Array<ArrayBuffer>, more: Partial<ProviderPutOptions> = {}) {
      const bytes = typeof value === 'string' ? bytesOf(value) : value
      return provider.put(name, new Redacted(bytes), { signal: signal(), idempotencyKey: key(), ...more })
    }

    async function textOf(name: string, version?: string): Promise<string> {
      const secret = await provider.get(name, { signal: signal(), ...(version === undefined ? {} : { version }) })
      return Buffer.from(secret.value.reveal()).toString()
    }

    /** The names with a prefix: a page may be empty without being the last. */
    async function allBelow(prefix: string): Promise<string[]> {
      const found: string[] = []
      for (let cursor: string | null = null; ; ) {
        const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
          ...{ prefix, cursor, limit: 25, signal: signal() },
        })
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
        if (cursor === null) return found
      }
    }

    /** The kind of failure that something ends with, which is the only thing it may throw. */
    async function kindOf(promise: Promise<unknown>): Promise<string> {
      const outcome = await promise.then(
        () => null,
        (error: unknown) => error,
      )
      expect(outcome).toBeInstanceOf(ProviderFailure)
      failures.push(outcome as ProviderFailure)
      return (outcome as ProviderFailure).kind
    }

    it('serves', async () => {
      await expect(provider.health({ signal: signal() })).resolves.toBeUndefined()
    })

    it('reports a secret that never existed as not found, which is an answer', async () => {
      const name = nameOf('absent')
      expect(await kindOf(provider.get(name, { signal: signal() }))).toBe('not_found')
      expect(failures.at(-1)?.isOutage).toBe(false)
      expect(await kindOf(provider.remove(name, { signal: signal() }))).toBe('not_found')
      if (provider.versions === null || !store.tellsAbsentHistory) return
      expect(await kindOf(provider.versions(name, { signal: signal() }))).toBe('not_found')
    })

    it('gives back what was written, with the version that the write said', async () => {
      const name = nameOf('written')
      const value = fresh()
      const { version } = await put(name, value)
      const secret = await provider.get(name, { signal: signal() })
      expect(Buffer.from(secret.value.reveal()).toString()).toBe(value)
      expect([secret.encoding, secret.version]).toEqual(['utf8', version])
      expect(await textOf(name, version)).toBe(value)
      expect(leaks(JSON.stringify(secret), [value])).toEqual([])
    })

    it('writes a new secret only where none is, when asked so', async () => {
      const name = nameOf('create')
      const [first, second] = [fresh(), fresh()]
      await put(name, first, { expect: 'absent' })
      expect(await kindOf(put(name, second, { expect: 'absent' }))).toBe('conflict')
      expect(await textOf(name)).toBe(first)
    })

    it('writes over the version that is expected, and no other', async () => {
      const name = nameOf('expected')
      const [first, second, third] = [fresh(), fresh(), fresh()]
      const { version } = await put(name, first, { expect: 'absent' })
      const next = await put(name, second, { expect: version })
      expect(await textOf(name)).toBe(second)
      if (store.versioned) {
        expect(next.version).not.toBe(version)
        expect(await kindOf(put(name, third, { expect: version }))).toBe('conflict')
        expect(await textOf(name)).toBe(second)
      }
      await put(name, third, { expect: next.version })
      expect(await textOf(name)).toBe(third)
    })

    it('overwrites any value when no version is expected', async () => {
      const name = nameOf('overwritten')
      const { version } = await put(name, fresh(), { expect: 'absent' })
      await put(name, fresh(), { expect: version })
      const values = [fresh(), fresh()]
      for (const value of values) {
        await put(name, value)
        expect(await textOf(name)).toBe(value)
      }
    })

    it('lets one of two writes that expect the same version through', async () => {
      if (!store.versioned || provider.kind === 'azure') return
      const name = nameOf('raced')
      const { version } = await put(name, fresh(), { expect: 'absent' })
      const candidates = [fresh(), fresh(), fresh()]
      const written = await Promise.allSettled(candidates.map((value) => put(name, value, { expect: version })))
      const through = candidates.filter((_, at) => written[at]?.status === 'fulfilled')
      expect(through).toHaveLength(1)
      expect(await textOf(name)).toBe(through[0])
    })

    it('keeps old versions, tells which is current, and shows no values in a history', async () => {
      if (!store.versioned || provider.versions === null) return
      const name = nameOf('history')
      const written = [fresh(), fresh(), fresh()]
      const versions: string[] = []
      for (const value of written) versions.push((await put(name, value)).version)
      for (const [at, version] of versions.entries()) expect(await textOf(name, version)).toBe(written[at])
      const history = await provider.versions(name, { signal: signal() })
      expect(new Set(history.map(({ version }) => version))).toEqual(new Set(versions))
      expect([history.length, history[0]?.version, history[0]?.stage]).toEqual([3, versions[2], 'current'])
      // Key Vault counts in seconds: it cannot tell in which order two versions of one second came.
      const previous = history.find(({ stage }) => stage === 'previous')
      if (provider.kind !== 'azure' || previous) expect(previous).toEqual(history[1])
      if (provider.kind !== 'azure') expect(previous?.version).toBe(versions[1])
      expect(history.every(({ enabled }) => enabled)).toBe(true)
      expect(leaks(JSON.stringify(history), written)).toEqual([])
    })

    it('reads the current and the previous version by their stage, and says where a store has no such stage', async () => {
      const name = nameOf('stages')
      const [first, second] = [fresh(), fresh()]
      await put(name, first)
      expect(await textOf(name, 'current')).toBe(first)
      const before = await kindOf(textOf(name, 'previous'))
      expect(before).toBe(store.versioned ? 'not_found' : 'no_stage')
      const { version } = await put(name, second)
      expect(await textOf(name, 'current')).toBe(second)
      const current = await provider.get(name, { version: 'current', signal: signal() })
      expect(current.version).toBe(version)
      if (store.versioned) expect(await textOf(name, 'previous')).toBe(first)
      for (const stage of ['pending', 'AWSPENDING']) {
        expect(await kindOf(textOf(name, stage))).toBe(provider.kind === 'aws' ? 'not_found' : 'no_stage')
      }
      expect(await kindOf(textOf(name, 'BLUE'))).toBe('not_found')
    })

    it('makes nothing new of a write that is repeated', async () => {
      if (!store.remembersWrites) return
      const name = nameOf('repeated')
      const value = fresh()
      const first = await put(name, fresh(), { expect: 'absent' })
      const write = { expect: first.version, idempotencyKey: key() }
      const { version } = await put(name, value, write)
      expect((await put(name, value, write)).version).toBe(version)
      expect(await textOf(name)).toBe(value)
      expect((await provider.versions?.(name, { signal: signal() })) ?? [1, 2]).toHaveLength(2)
    })

    it.each(['9'.repeat(40), '0'.repeat(32), '999', '../x', '%2e%2e', '1?version=2', '', 'a\nb'])(
      'has no version %j',
      async (version) => {
        const name = nameOf('written')
        expect(await kindOf(provider.get(name, { version, signal: signal() }))).toBe('not_found')
      },
    )

    it('lists the names below a prefix, each once, page after page', async () => {
      const names = ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'a5', 'b/6'].map((label) => nameOf(`list/${label}`))
      for (const name of names) await put(name, fresh())
      const below = storeName(store.naming, inStore(`${root}/list/a`))
      const found: string[] = []
      let cursor: string | null = null
      let pages = 0
      do {
        const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
          prefix: below,
          cursor,
          limit: 2,
          signal: signal(),
        })
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
        expect(pages++).toBeLessThan(500)
      } while (cursor !== null)
      expect(found.sort()).toEqual(names.slice(0, 5).sort())
      expect(pages).toBeGreaterThan(2)
      const none = await provider.list({ prefix: `${below}9`, cursor: null, limit: 5, signal: signal() })
      expect(none.items).toEqual([])
    })

    it.each([
      ['quotes and line ends', '"a" \'b\' \\ \r\n # $HOME %20 \t'],
      ['a JSON document', '{"user":"u","value":"v","encoding":"base64"}'],
      ['Unicode', 'é ü 😀 \u2028 \ufeff end'],
      ['a byte order mark', '\ufeffvalue'],
      ['what looks like base64', 'AAECAwQF'],
      ['spaces at its ends', '  value  '],
    ])('row 20: keeps %s as it is', async (label, value) => {
      const name = nameOf(`texts/${label.replaceAll(' ', '').toLowerCase()}`)
      // A .env file has no form that keeps quotes of both kinds for all readers.
      if (store.naming === 'env' && value.includes("'")) return expect(await kindOf(put(name, value))).toBe('invalid')
      await put(name, value)
      expect(await textOf(name)).toBe(value)
    })

    describe('a document that others own', () => {
      const SOURCE = '{ "user":"u", "password": "p", "port" : 5432, "ratio":1.10, "n":null, "tags":["a",{"b":true}] }'
      const CHANGED = SOURCE.replace('"p"', '"changed"')
      const JSON_TYPE = { contentType: 'application/json' }
      const planted = async (label: string, source = SOURCE) => {
        const name = nameOf(label)
        await store.foreign!.write(name, source)
        return { name, read: () => store.foreign!.read(name) }
      }

      it('row 66: is read as it is kept, and written as its own fields', async () => {
        if (!store.foreign) return
        const { name, read } = await planted('fields')
        const secret = await provider.get(name, { signal: signal() })
        expect([await textOf(name), secret.contentType]).toEqual([store.foreign.kept(SOURCE), 'application/json'])
        const before = await read()
        await put(name, CHANGED, { ...JSON_TYPE, expect: secret.version })
        expect(await read()).toBe(before.replace('"p"', '"changed"').replace('\\"p\\"', '\\"changed\\"'))
        expect(await textOf(name)).toBe(store.foreign.kept(CHANGED))
        // Also when nothing is expected, and when its writer does not say that it is JSON.
        await put(name, SOURCE, JSON_TYPE)
        expect(await textOf(name)).toBe(store.foreign.kept(SOURCE))
        await put(name, CHANGED, { contentType: 'text/plain; charset=utf-8' })
        expect(JSON.parse(await textOf(name))).toEqual(JSON.parse(CHANGED))
      })

      it.each<[string, string | Uint8Array<ArrayBuffer>]>([
        ['a text', 'password'],
        ['an empty object in quotes', '"{}"'],
        ['an array', '["p"]'],
        ['a number', '5432'],
        ['a document that is cut off', SOURCE.slice(0, -1)],
        ['bytes', Uint8Array.of(0, 255, 254)],
      ])('row 66: is not replaced by %s', async (_, value) => {
        if (!store.foreign) return
        const { name, read } = await planted('refused')
        const before = await read()
        const { version } = await provider.get(name, { signal: signal() })
        for (const more of [{}, JSON_TYPE, { expect: version }]) {
          expect(await kindOf(put(name, value, more))).toBe('foreign_shape')
          expect(failures.at(-1)?.isOutage).toBe(false)
        }
        expect([await read(), (await provider.get(name, { signal: signal() })).version]).toEqual([before, version])
      })

      it('row 66: is replaced where the request says so, with no field left', async () => {
        if (!store.foreign) return
        const { name } = await planted('replaced')
        const value = fresh()
        await put(name, value, { replace: 'shape' })
        expect(await textOf(name)).toBe(value)
        expect(await store.foreign.read(name)).not.toContain('user')
      })

      it('row 66: takes no place of a text, unless the request says so', async () => {
        if (!store.foreign) return
        const name = nameOf('textual')
        const text = fresh()
        await put(name, text, { contentType: 'text/plain; charset=utf-8' })
        expect(await kindOf(put(name, SOURCE, JSON_TYPE))).toBe('foreign_shape')
        expect(await textOf(name)).toBe(text)
        await put(name, SOURCE, { ...JSON_TYPE, replace: 'shape' })
        expect(JSON.parse(await textOf(name))).toEqual(JSON.parse(SOURCE))
      })

      it('row 66: is written again where it was written new', async () => {
        const name = nameOf('documents')
        await put(name, SOURCE, { ...JSON_TYPE, expect: 'absent' })
        await put(name, CHANGED, JSON_TYPE)
        expect(await textOf(name)).toBe(CHANGED)
      })
    })

    it('row 20: keeps binary values, or refuses them', async () => {
      const name = nameOf('bytes')
      const bytes = Uint8Array.from([0, 255, 254, 128, 10, 13, 0])
      if (!store.bytes) return expect(await kindOf(put(name, bytes))).toBe('invalid')
      await put(name, bytes)
      const secret = await provider.get(name, { signal: signal() })
      expect([...secret.value.reveal()]).toEqual([...bytes])
      expect(secret.encoding).toBe('base64')
      const text = fresh()
      await put(name, text)
      expect([await textOf(name), (await provider.get(name, { signal: signal() })).encoding]).toEqual([text, 'utf8'])
    })

    it('gives bytes back as bytes, even where they are UTF-8, and text as text', async () => {
      const name = nameOf('form')
      for (const text of ['\0', 'bytes that are text', '{"a":"document"}', 'QUJD']) {
        const bytes = put(name, text, { encoding: 'base64', contentType: 'application/octet-stream', replace: 'shape' })
        if (!store.bytes) expect(await kindOf(bytes)).toBe('invalid')
        else {
          await bytes
          const secret = await provider.get(name, { signal: signal() })
          expect([secret.encoding, Buffer.from(secret.value.reveal()).toString()]).toEqual([
            store.untyped ? 'utf8' : 'base64',
            text,
          ])
        }
        const asText = put(name, text, { encoding: 'utf8', contentType: 'text/plain', replace: 'shape' })
        if (store.naming === 'env' && text.includes('\0')) {
          expect(await kindOf(asText)).toBe('invalid')
          continue
        }
        await asText
        const secret = await provider.get(name, { signal: signal() })
        expect([secret.encoding, Buffer.from(secret.value.reveal()).toString()]).toEqual(['utf8', text])
      }
    })

    it('row 20: keeps an empty secret, or refuses it', async () => {
      const name = nameOf('empty')
      if (store.empty === 'refused') {
        expect(await kindOf(put(name, ''))).toBe('invalid')
        expect(failures.at(-1)?.limitBytes).toBe(store.maxBytes)
        return
      }
      await put(name, '')
      expect(await textOf(name)).toBe('')
    })

    it('row 20: keeps the largest value, counted in bytes, and refuses one byte more', async () => {
      const name = nameOf('largest')
      const size = store.maxBytes ?? 65_536
      const value = `${'é'.repeat(size / 2 - 1)}xy`
      await put(name, value)
      expect(await textOf(name)).toBe(value)
      if (store.maxBytes !== null) {
        expect(await kindOf(put(name, `${value}z`))).toBe('invalid')
        // An adapter of HTTP does not know the limit of its server.
        expect(failures.at(-1)?.limitBytes).toBe(provider.kind === 'http' ? null : store.maxBytes)
      }
      expect(await textOf(name)).toBe(value)
    })

    it('reads many at once, each with its own outcome, in order', async () => {
      if (provider.getMany === undefined) return
      const names = Array.from({ length: 23 }, (_, at) => nameOf(`many/${at}`))
      const absent = [3, 21]
      const written = new Map<string, string>()
      for (const [at, name] of names.entries()) if (!absent.includes(at)) written.set(name, fresh())
      for (const [name, value] of written) await put(name, value)
      const outcomes = await provider.getMany(names, { signal: signal() })
      const shown = outcomes.map((one) =>
        one instanceof ProviderFailure ? one.kind : Buffer.from(one.value.reveal()).toString(),
      )
      expect(shown).toEqual(names.map((name) => written.get(name) ?? 'not_found'))
      expect(await provider.getMany([], { signal: signal() })).toEqual([])
    })

    it('row 17: gives nothing of a secret that was removed, in no version', async () => {
      const name = nameOf('removed')
      const versions = [(await put(name, fresh())).version, (await put(name, fresh())).version]
      await provider.remove(name, { signal: signal() })
      expect(await kindOf(provider.get(name, { signal: signal() }))).toBe(store.deleted)
      for (const version of versions) {
        expect(['deleted', 'not_found']).toContain(await kindOf(provider.get(name, { version, signal: signal() })))
      }
      expect(await kindOf(provider.remove(name, { signal: signal() }))).toBe(store.deleted)
      const [listed] = (await provider.list({ prefix: name, cursor: null, limit: 5, signal: signal() })).items
      if (store.naming !== 'hashicorp') expect(listed).toBeUndefined()
      if (store.deleted === 'deleted')
        expect(['deleted', 'conflict']).toContain(await kindOf(put(name, fresh(), { expect: 'absent' })))
    })

    it.each([
      ...['..', '.', '../x', 'a/../b', 'a/./b', 'a//b', '/a', 'a/', '%2e%2e', '%2e%2e/x', 'a%2fb', '..%2f..%2fsys', ''],
      ...[
        'a\r\nX-Injected: 1',
        'a\nb',
        'a\0b',
        'a\u00a0b',
        'a\u200db',
        'a\ud800',
        'a\\..\\b',
        '..;/b',
        '.. /b',
        '..?b',
      ],
      ...['a%252fb', 'a%5cb', 'x'.repeat(2000)],
    ])('rows 9, 11: makes no address of the name %j', async (name) => {
      // AWS has no paths: to it, periods and slashes are characters like others.
      const harmless =
        (store.naming === 'aws' && /^[A-Za-z0-9/.]{1,100}$/.test(name)) ||
        (store.naming === 'env' && /^[\w.-]{1,512}$/.test(name))
      const kind = harmless ? 'not_found' : 'invalid'
      expect(await kindOf(provider.get(name, { signal: signal() }))).toBe(kind)
      expect(await kindOf(provider.remove(name, { signal: signal() }))).toBe(kind)
      if (!harmless) expect(await kindOf(put(name, fresh()))).toBe('invalid')
    })

    it('keeps secrets of different case apart, or folds it', async () => {
      const folds = store.naming === 'azure'
      if (store.naming === 'env') return
      const [lower, upper] = [nameOf('case/db').toLowerCase(), nameOf('case/db').toUpperCase()]
      used.add(lower).add(upper)
      const values = [fresh(), fresh()]
      await put(lower, values[0]!)
      await put(upper, values[1]!)
      expect([await textOf(lower), await textOf(upper)]).toEqual(folds ? [values[1], values[1]] : values)
    })

    it.each(NAMES_OF_PEOPLE)('rows 9, 11: has %j under exactly this name, or refuses it', async (label) => {
      const name = (store.naming === 'env' ? nameOf('x') : nameOf('people')) + label
      used.add(name)
      const read = () => provider.get(name, { signal: signal() })
      if (!isStoreName(store.naming, name) || store.takes?.(name) === false)
        return expect(await kindOf(read())).toBe('invalid')
      const beside = nameOf('people')
      const values = [fresh(), fresh()]
      await put(beside, values[0]!)
      await put(name, values[1]!)
      expect([await textOf(beside), await textOf(name)]).toEqual(values)
      const listed = (await allBelow(name)).map((one) => folded(store.naming, one))
      expect(listed).toContain(folded(store.naming, name))
      await put(name, fresh())
      await provider.remove(name, { signal: signal() })
      expect(await kindOf(read())).toBe(store.deleted)
      expect(await textOf(beside)).toBe(values[0])
    })

    it.each([
      [{ template: 'postern-live-T-{rest}' }, 'kv/prod/db'],
      [{ template: '{name}' }, 'prod/db'],
    ])('is found where a chain with %j writes it', async (chain, secret) => {
      const base = nameOf('mapped')
      const names = { 'kv/other': `${base}Xtable`.slice(0, 127) }
      const map = new NameMap(
        store.naming,
        base,
        { resource: secret.startsWith('kv') ? 'kv/**' : '**', ...chain, names },
        { provider: 'http' },
      )
      for (const one of [secret, 'kv/other']) {
        const placed = map.place(one)
        if (!('stored' in placed)) return expect(store.naming).toBe('env')
        used.add(placed.stored)
        await put(placed.stored, fresh())
        expect((await allBelow(map.listPrefix(one))).map((name) => map.find(name))).toContainEqual({ name: one })
      }
    })

    it('ends with the signal of its caller', async () => {
      const name = nameOf('written')
      expect(await kindOf(provider.get(name, { signal: AbortSignal.abort() }))).toBe('timeout')
      expect(
        await kindOf(
          provider.put(name, new Redacted(bytesOf('x')), { signal: AbortSignal.abort(), idempotencyKey: key() }),
        ),
      ).toBe('timeout')
      expect(await kindOf(provider.list({ prefix: '', cursor: null, limit: 1, signal: AbortSignal.abort() }))).toBe(
        'timeout',
      )
    })

    it('says that credentials are wrong, which is an answer', async () => {
      if (store.stranger === null) return
      const name = nameOf('written')
      expect(await kindOf(store.stranger.get(name, { signal: signal() }))).toBe('credentials')
      expect(failures.at(-1)?.isOutage).toBe(false)
      expect(await kindOf(store.stranger.health({ signal: signal() }))).toBe('credentials')
    })

    it('has said nothing of a value in any failure', () => {
      expect(failures.length).toBeGreaterThan(10)
      const said = failures.map(
        (failure) => `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`,
      )
      expect(leaks(said.join('\n'), values)).toEqual([])
    })
  })
}
