/**
 * A tour of access, with the client: `TOKEN=pst_default_… npm run tour` against a server that runs.
 *
 * It makes a principal `ann` with a right to read below `prod/`, signs her in with a second factor and
 * a key of her own, reads a secret that only her client can open, locks her token, and unlocks it.
 *
 * @module
 */
import process from 'node:process'
import { type TOTP, URI } from 'otpauth'
import { runCommand, tokenFrom } from '../../cli/command.ts'
import { type Client, connect, makeProofKey, PosternError, Redacted, signIn } from '../../core/index.ts'

const { POSTERN_ENDPOINT = 'http://127.0.0.1:8787' } = process.env
const server = { endpoint: POSTERN_ENDPOINT, vault: 'default' }

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What a call is refused with. */
async function refused(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (error: unknown) => error,
  )
  return error instanceof PosternError ? error.code : 'not refused'
}

/** In place of the app on a telephone. The server takes the present code and the one before. */
function authenticator(uri: Redacted<string>): () => string {
  const totp = URI.parse(uri.reveal()) as TOTP
  let step = -1
  return () => totp.generate({ timestamp: Date.now() + 30_000 * step++ })
}

async function prepare(admin: Client): Promise<Redacted<string>> {
  await admin.put('prod/db', new Redacted('battery staple'))
  await admin.putPrincipal('ann', { kind: 'user' })
  say('principal  ann')
  const conditions = { mfaWithinSeconds: 600, bound: true as const }
  await admin.putRule('ann', { effect: 'permit', principal: 'ann', actions: ['read'], resource: 'prod/**', conditions })
  say('rule       ann may read prod/** within 10 minutes of a second factor, with a key of her own')
  const { token } = await admin.createToken({ principal: 'ann', label: 'laptop' })
  say(`token      ${token}`)
  return token
}

async function tour(): Promise<undefined> {
  const admin = connect({ ...server, token: tokenFrom(process.env) })
  const token = await prepare(admin)

  const key = await makeProofKey()
  const first = await signIn({ ...server, token, key, seal: true })
  say(`session    ${first.session.tokenType}, second factor: ${first.session.mfaAt ? 'yes' : 'no'}`)
  say(`read       ${await refused(first.client.get('prod/db'))}`)

  const { uri } = await first.client.enrolTotp()
  const nextCode = authenticator(uri)
  const { recoveryCodes } = await first.client.confirmTotp(nextCode())
  say(`enrolled   ${recoveryCodes.reveal().length} recovery codes`)
  const code = nextCode()
  const { client, session, token: bound } = await first.client.stepUp({ code })
  say(`session    ${session.tokenType}, second factor: ${session.mfaAt ? 'yes' : 'no'}`)

  const { version, value } = await client.get('prod/db')
  say(`read       version ${version}, ${value}, ${value.reveal().length} characters; sealed on the way`)
  say(`stolen     the session's token without its key: ${await refused(connect({ ...server, token: bound }).whoami())}`)
  say(`replayed   the same code again: ${await refused(signIn({ ...server, token, code }))}`)

  for (let i = 0; i < 3; i++) await refused(signIn({ ...server, token, code: '000000' }))
  const { items } = await admin.locks()
  say(
    `locked     ${items.filter(({ lockedUntil }) => lockedUntil).map(({ principal, source }) => `${principal} from ${source}`)}`,
  )
  await admin.unlock('ann')
  say(`unlocked   ${(await admin.locks()).items.length} locks`)
  await client.signOut()
  say(`signed out ${await refused(client.whoami())}`)
}

await runCommand({
  help: `
npm run -s tour

Shows principals, rules, tokens, sessions and locks against a server that runs. Its token is read from TOKEN, and its address
from POSTERN_ENDPOINT, http://127.0.0.1:8787 unless set.`,
  run: tour,
  failure: 'Tour cannot go on',
})
