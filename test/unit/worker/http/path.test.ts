/** Paths: routed as they were sent, and decoded once where they hold a name. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isName } from '../../../../core/name_grammar.ts'
import { checkPath, nameIn, pathOf } from '../../../../worker/http/path.ts'
import { ROUTES } from '../../../../worker/http/route_table.ts'
import { refusalFrom } from '../../../support/core.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const SECRETS = '/v1/vaults/default/secrets/'
const name = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_.][A-Za-z0-9_.+=@-]{0,5}$/), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'))
  .filter(isName)

/** Any escaping of a text: each character as it is, or as an escape in either case. */
const escaped = (text: string) =>
  fc.array(fc.constantFrom('raw', 'upper', 'lower'), { minLength: text.length, maxLength: text.length }).map((forms) =>
    [...text]
      .map((char, i) => {
        const hex = char.charCodeAt(0).toString(16).padStart(2, '0')
        return forms[i] === 'raw' ? char : `%${forms[i] === 'upper' ? hex.toUpperCase() : hex}`
      })
      .join(''),
  )

const checked = (path: string) => checkPath(path, new URL(`http://host${path}`).pathname)

describe('pathOf', () => {
  it.each([
    ['http://host/a/b', '/a/b'],
    ['http://host', '/'],
    ['http://host/', '/'],
    ['http://host/a?b=/c', '/a'],
    ['http://host/a#b', '/a'],
    ['http://host/a?x#y', '/a'],
    ['http://host/a/../b', '/a/../b'],
    ['http://host/a%2Fb%zz', '/a%2Fb%zz'],
    ['https://[::1]:8787//a', '//a'],
  ])('reads %s as %s', (url, path) => {
    expect(pathOf({ url })).toBe(path)
  })
})

describe('the name in a path', () => {
  it('rows 8, 9: is one name in every escaping of it, decoded once', () => {
    const spelled = name.chain((text) => fc.tuple(fc.constant(text), escaped(text)))
    fc.assert(
      fc.property(spelled, ([text, spelling]) => {
        const path = SECRETS + spelling
        expect(nameIn(path)).toBe(text)
        // An escape of a whole dot segment would be resolved by a parser on the way, so it is refused.
        if (new URL(`http://host${path}`).pathname === path) checked(path)
      }),
      { numRuns: 1000 },
    )
  })

  it('rows 8, 9: is refused when it was escaped twice', () => {
    const twice = name.chain((text) => fc.tuple(fc.constant(text), escaped(text)))
    fc.assert(
      fc.property(twice, ([, spelling]) => {
        fc.pre(spelling.includes('%'))
        const error = refusalFrom(() => nameIn(SECRETS + spelling.replaceAll('%', '%25')))
        expect(error.message).toContain('has "%" at character')
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ...['prod%', 'prod%2', '%zz', '%FF', '%c0%ae', 'a%ed%a0%80', '%u002f'],
    ...['%2Fprod', 'prod%2F', 'a%2F%2Fb', 'a%2F..%2Fb', '..%2Fa', 'a%2F.', '%2e', 'a%5Cb', '%00', 'a%0Ab', 'a%20b'],
    ...['%C3%BC', 'a%3Fb', 'a%23b', 'a%3Ab', 'a~b', 'a;b', "a'b", 'a*b', '%5F%5Fproto%5F%5F', 'a/%63onstructor', ''],
  ])('row 9: is refused as %j', (rest) => {
    expect(refusalFrom(() => nameIn(SECRETS + rest)).code).toBe('bad_request')
  })

  it('is read behind every route that ends in a name, and behind no other', () => {
    const filled = ROUTES.map(({ path }) => path.replace('{vault}', 'default').replace(/\{(?!name)[a-z]+\}/g, 'x'))
    expect(filled.filter((path) => path.endsWith('{name}')).length).toBeGreaterThan(8)
    for (const path of filled) {
      const spelled = path.replace('{name}', 'Prod%2Fdb')
      if (path.endsWith('{name}')) expect(nameIn(spelled)).toBe('Prod/db')
      else expect(() => checked(`${path}%2Fx`)).toThrow('no percent-encoding')
    }
  })
})

describe('checkPath', () => {
  it.each([
    ...['/v1/vaults/default/%73ecrets/a', '/v1/vaults/%64efault/secrets/a', '/v1/vaults/default%2Fsecrets/a'],
    ...[
      '/v1%2Fvaults/default/secrets/a',
      '/v1/vaults/default/rules/%61',
      '/v1/vaults/default/audit/tile/0%2F000',
      '/%68ealthz',
    ],
    ...['/v1/vaults/default/secrets%2Fa', '/v1/vaults/a%2Fb/secrets/x%2Fy', '/v1/vaults/default/sessions/%61'],
    ...[
      `${SECRETS}a/./b`,
      `${SECRETS}a/../b`,
      `${SECRETS}a/%2e%2E/b`,
      `${SECRETS}a\\b`,
      `${SECRETS}\u00fc`,
      `${SECRETS}a b`,
    ],
  ])('rows 9, 54: refuses %s', (path) => {
    expect(refusalFrom(() => checked(path)).detail.field).toBe('path')
  })
})

describe('a request', () => {
  it('rows 8, 9: is decided on and logged by the one name that its path spells', async () => {
    const bench = await openApp(null)
    const { send, log, admin } = bench
    await send(`${SECRETS}MyApp%2FProd/DB%5fPassword`, { method: 'PUT', body: '{"value":"one"}' })
    for (const spelling of ['MyApp/Prod/DB_Password', 'MyApp%2fProd%2FDB_Password', '%4DyApp/Pr%6fd/DB_Password']) {
      const response = await send(SECRETS + spelling)
      expect(await response.json()).toMatchObject({ name: 'MyApp/Prod/DB_Password', value: 'one' })
      expect(log().at(-1)).toMatchObject({
        operation: 'secret.read',
        resource: 'MyApp/Prod/DB_Password',
        outcome: 'ok',
      })
    }
    const other = await send(`${SECRETS}myapp%2Fprod/db_password`)
    expect(other.status).toBe(404)
    expect(log().at(-1)).toMatchObject({ resource: 'myapp/prod/db_password' })
    for (const word of ['versions', 'restore', 'destroy', 'rotations', 'rollback']) {
      const method = word === 'versions' ? 'GET' : 'POST'
      const body = { rotations: '{}', rollback: '{"version":1}', destroy: '{}' }[word]
      await send(`/v1/vaults/default/${word}/MyApp%2FProd%2fDB_Password`, { method, ...(body && { body }) })
      expect([word, log().at(-1)?.resource]).toEqual([word, 'MyApp/Prod/DB_Password'])
    }
    const { items } = await admin.list()
    expect(items.map((one) => one.name)).toEqual([])
  })

  it('says how a plus is sent in a query', async () => {
    const { send, admin } = await openApp(null)
    await send(`${SECRETS}a+b`, { method: 'PUT', body: '{"value":"one"}' })
    const plus = await send('/v1/vaults/default/secrets?prefix=a+b')
    expect([plus.status, (await plus.json()).detail]).toEqual([400, expect.stringContaining('%2B')])
    const sent = await send('/v1/vaults/default/secrets?prefix=a%2Bb')
    expect((await sent.json()).items).toMatchObject([{ name: 'a+b' }])
    expect((await admin.list({ prefix: 'a+' })).items).toMatchObject([{ name: 'a+b' }])
  })

  it('shows a person at / where to go, and answers HEAD where no vault is', async () => {
    const { send, log } = await openApp(null)
    const start = await send('/', { headers: { Authorization: '' } })
    expect([start.status, start.headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
    for (const link of ['/docs', '/openapi.json', '/readyz']) expect(await start.clone().text()).toContain(`"${link}"`)
    const before = log().length
    for (const path of ['/', '/healthz', '/readyz']) {
      const answers = await Promise.all(['GET', 'HEAD'].map((method) => send(path, { method })))
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      expect(answers[1]!.headers.get('Content-Type')).toBe(answers[0]!.headers.get('Content-Type'))
      expect(await answers[1]!.text()).toBe('')
    }
    for (const path of [`${SECRETS}a`, '/v1/vaults/default/secrets', '/openapi.json', '/metrics']) {
      expect([path, (await send(path, { method: 'HEAD' })).status]).toEqual([path, 405])
    }
    expect(log()).toHaveLength(before)
    expect((await send('/healthz', { method: 'PUT', body: '{}' })).headers.get('Allow')).toBe('GET, HEAD')
  })
})
