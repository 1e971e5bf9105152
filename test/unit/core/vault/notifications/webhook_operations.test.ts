import { describe, expect, it } from 'vitest'
import { bytesOf, openVault } from '../../../../support/core.ts'

const SECRET_PATH = '/services/T000/B000/canary-of-a-path'
const sealed = { kid: 'root.1', sealed: bytesOf('sealed'), newSecret: false }

describe('the address of a hook', () => {
  it('row 44: is logged by its origin only, in every operation, since its path may be a credential', () => {
    const bench = openVault()
    const put = (url: string) => bench.granted('admin', 'hook.put', { id: 'chat', url, ...sealed })
    put(`https://chat.example${SECRET_PATH}`)
    put(`https://other.example:8443${SECRET_PATH}`)
    bench.granted('admin', 'hook.delete', { id: 'chat' })
    const entries = bench.log().filter(({ operation }) => operation.startsWith('hook.'))
    expect(entries.map(({ facts }) => facts)).toMatchObject([
      { hook: 'chat', url: 'https://chat.example', before: null },
      { hook: 'chat', url: 'https://other.example:8443', before: 'https://chat.example' },
      { hook: 'chat' },
    ])
    expect(JSON.stringify(bench.log())).not.toContain('canary-of-a-path')
  })
})
