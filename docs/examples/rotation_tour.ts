/**
 * A tour of rotation and approvals, with the client: `TOKEN=pst_default_… npm run tour:rotation` against a server that
 * runs.
 *
 * Ann wants to rotate a password, Bob has to approve exactly that; then it is rolled back, and the vault's key is changed.
 *
 * @module
 */
import process from 'node:process'
import { runCommand, tokenFrom } from '../../cli/command.ts'
import { type Client, connect, PosternError, Redacted } from '../../core/index.ts'

const { POSTERN_ENDPOINT = 'http://127.0.0.1:8787' } = process.env
const server = { endpoint: POSTERN_ENDPOINT, vault: 'default' }

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What a call is refused with. */
async function refusalOf(call: Promise<unknown>): Promise<PosternError> {
  const error = await call.then(
    () => new PosternError('internal', 'Not refused'),
    (error: unknown) => error,
  )
  if (error instanceof PosternError) return error
  throw error
}

/** The reason, which is finer than the code. */
async function refused(call: Promise<unknown>): Promise<string> {
  const { code, detail } = await refusalOf(call)
  return detail.reason ?? code
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200 && !(await holds()); i++) await new Promise((resolve) => setTimeout(resolve, 50))
}

async function enrol(admin: Client, id: string): Promise<Redacted<string>> {
  await admin.putPrincipal(id, { kind: 'user' })
  const actions = ['read', 'rotate', 'delete'] as const
  await admin.putRule(id, { effect: 'permit', principal: id, actions: [...actions], resource: 'prod/**' })
  return (await admin.createToken({ principal: id })).token
}

/** The last run has ended. */
async function rotated(client: Client): Promise<boolean> {
  return (await client.rotation('prod/db')).run?.state === 'rotated'
}

async function tour(): Promise<undefined> {
  const admin = connect({ ...server, token: tokenFrom(process.env) })
  const chosen = await admin.put('prod/db', new Redacted('chosen by hand'))
  const [ann, bob] = [await enrol(admin, 'ann'), await enrol(admin, 'bob')]
  say('principals  ann and bob, who may read, rotate and destroy what is below prod/')
  await admin.putRotation('prod/db', { rotateEvery: 'P90D', generate: { kind: 'passphrase', words: 8 } })
  say('rotation    prod/db, every 90 days, a passphrase of 8 words')
  const unless = { approvals: { required: 1, from: ['ann', 'bob'] } }
  const demand = { effect: 'forbid', principal: '*', resource: 'prod/**', unless } as const
  await admin.putRule('four-eyes', { ...demand, actions: ['rotate', 'delete'] })
  say('rule        to rotate or destroy it, one other has to approve')

  const annSays = connect({ ...server, token: ann })
  say(`rotate      ${await refused(annSays.rotate('prod/db'))}`)
  const asking = connect({ ...server, token: ann, approval: { ask: 'it was on a screen that was shared' } })
  const { id = '', hash = '' } = (await refusalOf(asking.rotate('prod/db'))).detail.approval ?? {}
  say(`asked       ${hash.length} characters that stand for exactly this request`)
  say(`ann         ${await refused(annSays.decide(id, { decision: 'approve', hash }))}`)

  const bobSays = connect({ ...server, token: bob })
  const { operation, resource, requester, reason, body } = await bobSays.approval(id)
  say(`bob reads   ${requester} wants ${operation} of ${resource}: ${reason}`)
  const { config, ...state } = JSON.parse(body).params
  say(`            ${JSON.stringify({ ...state, target: config.target.kind })}`)
  await bobSays.decide(id, { decision: 'approve', hash })
  say('bob         approves')

  const approved = connect({ ...server, token: ann, approval: { id } })
  say(`destroy     ${await refused(approved.destroy('prod/db', 'all'))}`)
  const { run, step } = await approved.rotate('prod/db')
  say(`rotate      run ${run} begins with ${step}`)
  say(`again       ${await refused(approved.rotate('prod/db'))}`)
  await until(() => rotated(admin))
  const { version, value } = await annSays.get('prod/db')
  say(`read        version ${version}, ${value}, ${value.reveal().split('-').length} words`)

  const rolledBack = await admin.putRule('four-eyes', { ...demand, actions: ['delete'] }).then(() => {
    return admin.rollback('prod/db', { version: chosen.version })
  })
  say(`rollback    run ${rolledBack.run?.run} brings version ${rolledBack.run?.restores} back`)
  await until(() => rotated(admin))
  for (const one of (await admin.versions('prod/db')).items) {
    say(`version ${one.version}   ${one.stage ?? 'no stage'}, by ${one.createdBy}, ${one.why ?? 'written'}`)
  }

  await admin.rekey()
  await until(async () => (await admin.terms()).items[0]?.state === 'current')
  for (const { term, state } of (await admin.terms()).items) say(`term ${term}      ${state}`)
}

await runCommand({
  help: `
npm run -s tour:rotation

Shows a rotation that needs an approval, a rollback and a new key against a server that runs. Its token is read from TOKEN,
and its address from POSTERN_ENDPOINT, http://127.0.0.1:8787 unless set.`,
  run: tour,
  failure: 'Tour cannot go on',
})
