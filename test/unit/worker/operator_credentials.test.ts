import { describe, expect, it } from 'vitest'
import { parseSettings } from '../../../core/settings/settings.ts'
import { sinkCredentials } from '../../../worker/background/ship_log.ts'
import { httpAnchors } from '../../../worker/compose.ts'
import { bearerHeader, bearerSource } from '../../../worker/operator_credentials.ts'
import { canary } from '../../support/canary.ts'
import { refusalFrom } from '../../support/core.ts'

// A bearer token is visible ASCII.
const token = () => Buffer.from(canary()).toString('base64url')
const [FIRST, SECOND] = [token(), token()]
const FILES = ['AUDIT__ANCHOR_TOKEN', 'AUDIT__SINK_TOKEN', 'AUDIT__SINK_SECRET', 'TRACES__TOKEN']
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

describe('a credential of the operator', () => {
  it('is read from its file at each use, and fails without a value in its message', async () => {
    let content = `${FIRST}\n`
    const given = { value: undefined, path: 'x', setting: 'POSTERN_AUDIT__SINK_TOKEN_FILE' }
    const source = bearerSource(given, async () => new TextEncoder().encode(content))
    expect(await bearerHeader(source)).toEqual({ Authorization: `Bearer ${FIRST}` })
    content = SECOND
    expect(await bearerHeader(source)).toEqual({ Authorization: `Bearer ${SECOND}` })
    content = `${SECOND} ${SECOND}`
    await expect(bearerHeader(source)).rejects.toThrow(
      /^POSTERN_AUDIT__SINK_TOKEN_FILE: File has no credential that can be used$/,
    )
  })

  it('may be the key that signs posts to the sink', async () => {
    const { audit } = parseSettings({ environment: { POSTERN_AUDIT__SINK_SECRET_FILE: '/run/key' } })
    const { secret, token } = sinkCredentials({ audit }, async () => new TextEncoder().encode(`${SECRET}\r\n`))
    expect([...(await secret!()).reveal()]).toEqual(Array(32).fill(7))
    expect(token).toBeUndefined()
  })

  it.each(FILES)('%s is given as a text or as a file, not both', (name) => {
    const value = name.endsWith('SECRET') ? SECRET : 'token'
    const both = { [`POSTERN_${name}`]: value, [`POSTERN_${name}_FILE`]: '/run/secret' }
    expect(refusalFrom(() => parseSettings({ environment: both })).message).toContain(
      `POSTERN_${name}_FILE: Must not be set together with POSTERN_${name}`,
    )
  })

  it.each(FILES)('%s_FILE is refused where there are no files', (name) => {
    const environment = { [`POSTERN_${name}_FILE`]: '/run/secret' }
    const { message } = refusalFrom(() => parseSettings({ environment }, { hasFiles: false }))
    expect(message).toContain(`POSTERN_${name}_FILE: Must not be set, since this runtime has no files`)
  })

  it('is sent to an anchor with each request', () => {
    const environment = { POSTERN_AUDIT__ANCHOR: 'https://anchor.example', POSTERN_AUDIT__ANCHOR_TOKEN_FILE: 'x' }
    expect(httpAnchors({ settings: parseSettings({ environment }) }, async () => null)).toHaveLength(1)
  })
})
