/**
 * Tour of access: `npx node docs/examples/access_tour.ts`, with an administrator's token in `TOKEN`, against a running server.
 *
 * Creates the principal `tour-ann`, who may read below `tour/`, signs her in with a second factor and a key of her
 * own, reads a secret that only her client can open, locks her out, and unlocks her. Run it as often as you like: each
 * run removes the second factor that the run before enrolled, and touches nothing outside `tour-` and `tour/`.
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

/** The code of the error that a call fails with. */
async function refused(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (error: unknown) => error,
  )
  return error instanceof PosternError ? error.code : 'not refused'
}

/** An authenticator app. The server accepts the current code, the previous one and the next. */
function authenticator(uri: Redacted<string>): () => string {
  const totp = URI.parse(uri.reveal()) as TOTP
  let step = -1
  return () => totp.generate({ timestamp: Date.now() + 30_000 * step++ })
}

async function prepare(admin: Client): Promise<Redacted<string>> {
  await admin.put('tour/db', new Redacted('battery staple'))
  await admin.putPrincipal('tour-ann', { kind: 'user' })
  await admin.unlock('tour-ann')
  await admin.resetFactors('tour-ann')
  say('principal  tour-ann')
  const conditions = { mfaWithinSeconds: 600, bound: true as const }
  const rule = { effect: 'permit', principal: 'tour-ann', resource: 'tour/**' } as const
  await admin.putRule('tour-ann', { ...rule, actions: ['read'], conditions })
  say('rule       permits read of tour/** with a bound session and a second factor in the last 10 minutes')
  const { token } = await admin.createToken({ principal: 'tour-ann', label: 'laptop' })
  say(`token      ${token}`)
  return token
}

async function tour(): Promise<undefined> {
  const admin = connect({ ...server, token: tokenFrom(process.env) })
  const token = await prepare(admin)

  const key = await makeProofKey()
  const first = await signIn({ ...server, token, key, seal: true })
  say(`session    ${first.session.tokenType}, second factor: ${first.session.mfaAt ? 'yes' : 'no'}`)
  say(`read       ${await refused(first.client.get('tour/db'))}`)

  const { uri } = await first.client.enrolTotp()
  const nextCode = authenticator(uri)
  const { recoveryCodes } = await first.client.confirmTotp(nextCode())
  say(`enrolled   ${recoveryCodes.reveal().length} recovery codes`)
  const code = nextCode()
  const { client, session, token: bound } = await first.client.stepUp({ code })
  say(`session    ${session.tokenType}, second factor: ${session.mfaAt ? 'yes' : 'no'}`)

  const { value } = await client.get('tour/db')
  say(`read       ${value}, ${value.reveal().length} characters, sealed to the client's key in transit`)
  say(`stolen     the session token without its key: ${await refused(connect({ ...server, token: bound }).whoami())}`)
  say(`replayed   the same code a second time: ${await refused(signIn({ ...server, token, code }))}`)

  for (let i = 0; i < 3; i++) await refused(signIn({ ...server, token, code: '000000' }))
  const { items } = await admin.locks()
  say(
    `locked     ${items.filter(({ lockedUntil }) => lockedUntil).map(({ principal, source }) => `${principal} from ${source}`)}`,
  )
  await admin.unlock('tour-ann')
  say(`unlocked   ${(await admin.locks()).items.length} locks`)
  await client.signOut()
  say(`signed out ${await refused(client.whoami())}`)
}

await runCommand({
  help: `
npx node docs/examples/access_tour.ts

Shows principals, rules, tokens, sessions and locks against a running server. Its token is read from TOKEN, and its
address from POSTERN_ENDPOINT, http://127.0.0.1:8787 unless set.`,
  run: tour,
  failure: 'Tour cannot continue',
})
