import { describe, expect, it } from 'vitest'
import { ACCESSOR_LANGUAGES, accessorOf, findAccessors, keyOf, typedKey } from '../../../../core/text/accessors.ts'
import { findReferences, resolve } from '../../../../core/text/find_references.ts'
import { fingerprinter } from '../../../../core/text/fingerprint.ts'
import { MASK, type MaskNote, mask } from '../../../../core/text/mask.ts'
import { NameIndex } from '../../../../core/text/names.ts'
import { isShort, redact } from '../../../../core/text/redact.ts'
import { SecretList } from '../../../../extension/vaults/secret_list.ts'
import type { SignedInVault } from '../../../../extension/vaults/vaults.ts'
import { nodeOf, parentOf, vaultNode } from '../../../../extension/views/tree_nodes.ts'
import { canary, formsOf, leaks } from '../../../support/canary.ts'

describe('accessors', () => {
  it.each([
    ['typescript', 'process.env.DB_URL'],
    ['python', 'os.environ["DB_URL"]'],
    ['ruby', 'ENV["DB_URL"]'],
    ['java', 'System.getenv("DB_URL")'],
    ['rust', 'std::env::var("DB_URL")'],
    ['go', 'os.Getenv("DB_URL")'],
    ['shellscript', '"${DB_URL}"'],
    ['powershell', '$env:DB_URL'],
  ])('in %s is %s', (language, accessor) => {
    expect(accessorOf(language, 'DB_URL')).toBe(accessor)
  })

  it.each(ACCESSOR_LANGUAGES)('in %s is found where it was inserted, and completed while typed', (language) => {
    const text = `x = ${accessorOf(language, 'DB_URL')};`
    const [found] = findAccessors(text, language)
    expect(found?.key).toBe('DB_URL')
    expect(text.slice(found?.start, found?.end)).toBe('DB_URL')
    expect(typedKey(text.slice(0, text.indexOf('_URL')), language)).toBe('DB')
  })

  it('are absent where the language is unknown or nothing is read', () => {
    expect(accessorOf('plaintext', 'X')).toBeNull()
    expect(typedKey('process.env', 'typescript')).toBeNull()
    expect(findAccessors('my.process.environment.X', 'typescript')).toEqual([])
  })

  it('derive a key from the name of a secret', () => {
    expect(['prod/db/url', 'token', 'dev/2fa.seed'].map(keyOf)).toEqual(['DB_URL', 'TOKEN', '_2FA_SEED'])
  })
})

describe('references in a text', () => {
  it('are found with variables, versions and pointers, without the surrounding text', () => {
    const text = 'a "postern://v/a/b?version=2#/x" (postern://${ENV:-dev}/k), see postern://v/end.'
    expect(findReferences(text).map(({ text }) => text)).toEqual([
      'postern://v/a/b?version=2#/x',
      'postern://${ENV:-dev}/k',
      'postern://v/end',
    ])
    for (const { text: found, start, end } of findReferences(text)) expect(text.slice(start, end)).toBe(found)
  })

  it('are found with every character of a name, and without the punctuation around them', () => {
    const texts = ['postern://v/MyApp/Prod/DB_Password', 'postern://v/.env/a+b=c@d', 'postern://v/a-', 'postern://v/b@']
    for (const text of texts) {
      for (const around of [text, `"${text}"`, `(${text})`, `${text},`, `${text};`, `${text}.`, `<${text}>`]) {
        expect(findReferences(around).map((one) => one.text)).toEqual([text])
      }
      expect(resolve(text, new Map())).toMatchObject({ text })
    }
    // Case counts: no spelling stands for another.
    expect(resolve('postern://v/Prod/db', new Map())).toMatchObject({ reference: { name: 'Prod/db' } })
  })

  it('resolve, or name the missing variable or the flaw', () => {
    const variables = new Map([['ENV', 'prod']])
    expect(resolve('postern://${ENV}/db', variables)).toMatchObject({ text: 'postern://prod/db' })
    expect(resolve('postern://${NONE}/db', variables)).toEqual({ missing: 'NONE' })
  })

  it.each([
    ['vault', ['postern://Prod/db', 'postern:///db', 'postern://', `postern://${'v'.repeat(33)}/db`]],
    ['name', ['postern://prod', 'postern://prod/', 'postern://prod/../db', 'postern://prod/-db?version=1#/x']],
    ['name', [`postern://prod/${'n'.repeat(600)}`, 'postern://prod/constructor']],
    ['version', ['postern://prod/db?version=0', 'postern://prod/db?v=1', 'postern://prod/db?version=1x#/a']],
    ['pointer', ['postern://prod/db#a', 'postern://prod/db?version=1#/~2', `postern://prod/db#/${'p'.repeat(1100)}`]],
  ])('name the malformed part: the %s', (part, texts) => {
    for (const text of texts) expect([text, resolve(text, new Map())]).toEqual([text, { malformed: part }])
  })
})

describe('the masked text', () => {
  const source = `# DB_PASSWORD=kept-in-a-comment-9\nURL=postern://v/db\nLEVEL=debug\nTOKEN="pla1n-t0ken-of-mine"\n`

  it('holds masks of one width for references and for secrets in the clear, comments too', () => {
    const { text, rows } = mask(source)
    expect(text).toBe(`# DB_PASSWORD=${MASK}\nURL=${MASK}\nLEVEL=debug\nTOKEN=${MASK}\n`)
    expect(rows).toEqual([
      { key: 'URL', reference: 'postern://v/db', line: 1 },
      { key: 'TOKEN', reference: null, line: 3 },
    ])
  })

  it('counts lines in the masked text, not in the source', () => {
    const { rows } = mask('A="postern://v/a"\nPRIVATE_KEY="one1\ntwo2 three"\nB=postern://v/b')
    expect(rows.map(({ key, line }) => [key, line])).toContainEqual(['B', 2])
  })

  it('shows a mark instead of the mask where there is no value, on one line', () => {
    const failed = 'Denied:\n no rule\tpermits this'
    const { text, rows } = mask(
      'A=postern://v/a\nB=postern://v/b',
      (reference): MaskNote => (reference.endsWith('a') ? { failed } : {}),
    )
    expect(text).toBe(`A=✗ Denied: no rule permits this\nB=${MASK}`)
    expect(rows.map(({ line }) => line)).toEqual([0, 1])
  })

  it('shows a note behind the mask of a reference', () => {
    expect(mask('A=postern://v/a', () => ({ behind: '#a3f1' })).text).toBe(`A=${MASK} #a3f1`)
  })
})

describe('the tree', () => {
  const vault = { id: 'default' } as SignedInVault

  it('leads from a secret through its folders to its vault', () => {
    const secret = nodeOf(vault, 'prod/db/url')
    expect(secret).toEqual({
      vault,
      name: 'prod/db/url',
      label: 'url',
      isFolder: false,
      reference: 'postern://default/prod/db/url',
    })
    const folder = parentOf(secret)!
    expect(folder).toEqual({ vault, name: 'prod/db/', label: 'db/', isFolder: true })
    const top = parentOf(folder)!
    expect(top.name).toBe('prod/')
    expect(parentOf(top)).toEqual(vaultNode(vault))
    expect(parentOf(nodeOf(vault, 'alone'))).toEqual(vaultNode(vault))
    expect(parentOf(vaultNode(vault))).toBeUndefined()
  })

  it('has the nodes of an index of names', () => {
    const index = new NameIndex(['prod/db/url', 'prod/x', 'alone'].map((name) => ({ name })))
    for (const prefix of ['', 'prod/', 'prod/db/']) {
      for (const { name, label, isFolder } of index.children(prefix)) {
        expect(nodeOf(vault, name)).toMatchObject({ name, label, isFolder })
      }
    }
  })
})

describe('names', () => {
  const index = new NameIndex(['b', 'a/x/1', 'a/x/2', 'a/y', 'a.z', 'ab'].map((name) => ({ name })))

  it('are found by prefix and by segment', () => {
    expect(index.startingWith('a/').map(({ name }) => name)).toEqual(['a/x/1', 'a/x/2', 'a/y'])
    expect(index.children('a/').map(({ label }) => label)).toEqual(['x/', 'y'])
    expect(index.children('').map(({ name }) => name)).toEqual(['a.z', 'a/', 'ab', 'b'])
    expect(index.find('a/y')).toEqual({ name: 'a/y' })
    expect(index.find('a/')).toBeUndefined()
  })

  it('are found exactly, and what differs in case alone is pointed out', () => {
    const cased = new NameIndex(['prod/db', 'Prod/db', 'prod/dc', 'a'].map((name) => ({ name })))
    expect(cased.find('PROD/db')).toBeUndefined()
    expect(cased.differingInCase('PROD/db')).toEqual({ name: 'Prod/db' })
    expect(cased.differingInCase('prod/db')).toEqual({ name: 'Prod/db' })
    expect(cased.differingInCase('Prod/db')).toEqual({ name: 'prod/db' })
    for (const alone of ['prod/dc', 'a', 'prod/d', 'x']) expect(cased.differingInCase(alone)).toBeUndefined()
    expect(cased.children('').map(({ name }) => name)).toEqual(['Prod/', 'a', 'prod/'])
  })

  it('are found by skipping folders, not by walking through them', () => {
    const many = new NameIndex(Array.from({ length: 10_000 }, (_, i) => ({ name: `f${i % 10}/n${i}` })))
    expect(many.children('')).toHaveLength(10)
    expect(many.startingWith('f3/', 50)).toHaveLength(50)
  })
})

describe('redact', () => {
  it('redacts every form of a value in an output', () => {
    const value = canary()
    const output = formsOf(value)
      // The middle of the value alone does not count as the value.
      .filter((form) => form !== value.slice(10, 34))
      .join('\n')
    const redacted = redact(output, [{ label: 'db', value }])
    expect(leaks(redacted, [value]).filter((form) => form !== value.slice(10, 34))).toEqual([])
    expect(redacted).toContain('[postern:db]')
  })

  it('finds a long value, and its base64, across line breaks of a tool', () => {
    const value = Array.from({ length: 6 }, canary).join('-')
    const folded = (text: string, columns: number, end: string) =>
      text.replaceAll(new RegExp(`.{${columns}}`, 'g'), `$&${end}`)
    const base64 = Buffer.from(`key: ${value}`).toString('base64')
    for (const output of [folded(base64, 76, '\n'), folded(base64, 64, '\r\n'), folded(`key: ${value}`, 80, '\n')]) {
      const redacted = redact(`before\n${output}\nafter`, [{ label: 'db', value }])
      expect(redacted).toMatch(/^before\n[\s\S]*\[postern:db\][\s\S]*\nafter$/)
      // Only the surrounding text is left, and of the value only the ends that base64 mixes with it.
      expect(redacted.length).toBeLessThan(50)
    }
  })

  it('finds a value that two streams split or interrupt', () => {
    const value = canary()
    const [head, tail] = [value.slice(0, 20), value.slice(20)]
    const chunk = (stream: string, text: string) => ({ stream, text })
    const outputs = [
      [chunk('stdout', `a ${head}`), chunk('stderr', `${tail} b`)],
      [chunk('stdout', `a ${head}`), chunk('stderr', '<noise>'), chunk('stdout', `${tail} b`)],
      [
        chunk('stderr', `a ${head}`),
        chunk('stdout', '<noise>'),
        chunk('stderr', `${tail.slice(0, 4)}`),
        chunk('stderr', `${tail.slice(4)} b`),
      ],
    ]
    const [joined, ...broken] = outputs.map((output) => redact(output, [{ label: 'db', value }]))
    expect(joined).toBe('a [postern:db] b')
    for (const output of broken) expect(output).toBe('a [postern:db]<noise> b')
  })

  it('redacts overlapping values whole', () => {
    const known = [
      { label: 'a', value: 'one-two' },
      { label: 'b', value: 'two-three' },
    ]
    expect(redact('x one-two-three y', known)).not.toMatch(/one|two|three/)
    expect(redact('x abababab y', [{ label: 'c', value: 'abab' }])).toBe('x [postern:c] y')
  })

  it('does not redact a short value inside words and numbers', () => {
    const known = Object.entries({ X: 'a', PORT: '0', TWO: '80', PIN: '8080', WORD: 'port', LINE: 'a\nb' })
    const values = known.map(([label, value]) => ({ label, value }))
    expect(redact('banana 18080 80 808081 transport porthole a_port PORTS', values)).toBe(
      'banana 18080 80 808081 transport porthole a_port PORTS',
    )
    // As a word of its own a value of four characters or more is one.
    expect(redact('port=8080, "port" port', values)).toBe(
      '[postern:WORD]=[postern:PIN], "[postern:WORD]" [postern:WORD]',
    )
    expect(redact('-p1n- x-p1n-y', [{ label: 'P', value: '-p1n-' }])).toBe('[postern:P] x[postern:P]y')
  })

  it('redacts a value of eight characters anywhere', () => {
    expect(redact('xk3J9xmQ2y', [{ label: 'A', value: 'k3J9xmQ2' }])).toBe('x[postern:A]y')
    expect([isShort('k3J9xmQ'), isShort('k3J9xmQ2')]).toEqual([true, false])
  })

  it('prefers the longer of two values', () => {
    const known = [
      { label: 'a', value: 'secret' },
      { label: 'b', value: 'secret-long' },
    ]
    expect(redact('x secret-long y secret z', known)).toBe('x [postern:b] y [postern:a] z')
    expect(redact('nothing here', [{ label: 'e', value: '' }])).toBe('nothing here')
  })
})

it('reads at most a thousand pages of an endless list', async () => {
  let asked = 0
  const catalogue = new SecretList(async () => ({ items: [], cursor: String(asked++) }))
  expect((await catalogue.names()).size).toBe(0)
  expect(asked).toBe(1000)
})

it('makes fingerprints that are equal for equal values in one window only', async () => {
  const [one, other] = [fingerprinter(), fingerprinter()]
  expect(await one('a')).toBe(await one('a'))
  expect(await one('a')).not.toBe(await one('b'))
  expect(await one('a')).not.toBe(await other('a'))
})
