/**
 * Tour of rotation and approvals: `npx node docs/examples/rotation_tour.ts`, with an administrator's token in `TOKEN`, against a running
 * server.
 *
 * Carol wants to rotate a password, and Bob must approve exactly that request. Then the rotation is rolled back, and the
 * vault starts a new term of its key. Run it as often as you like: each run takes the next free name below
 * `tour/rotation/`, and touches nothing outside `tour-` and `tour/` but the term.
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

/** The error that a call fails with. */
async function refusalOf(call: Promise<unknown>): Promise<PosternError> {
  const error = await call.then(
    () => new PosternError('internal', 'Not refused'),
    (error: unknown) => error,
  )
  if (error instanceof PosternError) return error
  throw error
}

/** The reason of the failure, which is finer than its code. */
async function refused(call: Promise<unknown>): Promise<string> {
  const { code, detail } = await refusalOf(call)
  return detail.reason ?? code
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200 && !(await holds()); i++) await new Promise((resolve) => setTimeout(resolve, 50))
}

/** The first name below `tour/rotation/` that no earlier run took. */
async function freeName(admin: Client): Promise<string> {
  for (let n = 1; ; n++) {
    const taken = await admin.versions(`tour/rotation/db-${n}`).then(
      () => true,
      () => false,
    )
    if (!taken) return `tour/rotation/db-${n}`
  }
}

async function enrol(admin: Client, id: string): Promise<Redacted<string>> {
  await admin.putPrincipal(id, { kind: 'user' })
  const actions = ['read', 'rotate', 'delete'] as const
  await admin.putRule(id, { effect: 'permit', principal: id, actions: [...actions], resource: 'tour/rotation/**' })
  return (await admin.createToken({ principal: id })).token
}

/** Whether the last run has ended. */
async function rotated(client: Client, name: string): Promise<boolean> {
  return (await client.rotation(name)).run?.state === 'rotated'
}

async function tour(): Promise<undefined> {
  const admin = connect({ ...server, token: tokenFrom(process.env) })
  const name = await freeName(admin)
  const chosen = await admin.put(name, new Redacted('chosen by hand'))
  const [carol, bob] = [await enrol(admin, 'tour-carol'), await enrol(admin, 'tour-bob')]
  say('principals  tour-carol and tour-bob may read, rotate and destroy below tour/rotation/')
  await admin.putRotation(name, { rotateEvery: 'P90D', generate: { kind: 'passphrase', words: 8 } })
  say(`rotation    ${name}, every 90 days, a passphrase of 8 words`)
  const unless = { approvals: { required: 1, from: ['tour-carol', 'tour-bob'] } }
  const demand = { effect: 'forbid', principal: '*', resource: 'tour/rotation/**', unless } as const
  await admin.putRule('tour-four-eyes', { ...demand, actions: ['rotate', 'delete'] })
  say('rule        to rotate or destroy needs the approval of one other person')

  const carolSays = connect({ ...server, token: carol })
  say(`rotate      ${await refused(carolSays.rotate(name))}`)
  const asking = connect({ ...server, token: carol, approval: { ask: 'it was visible in a screen share' } })
  const { id = '', hash = '' } = (await refusalOf(asking.rotate(name))).detail.approval ?? {}
  say(`request     a hash of ${hash.length} characters stands for exactly this request`)
  say(`carol       ${await refused(carolSays.decide(id, { decision: 'approve', hash }))}`)

  const bobSays = connect({ ...server, token: bob })
  const { operation, resource, requester, reason, body } = await bobSays.approval(id)
  say(`bob reads   ${requester} wants ${operation} of ${resource}: ${reason}`)
  const { config, ...state } = JSON.parse(body).params
  say(`            ${JSON.stringify({ ...state, target: config.target.kind })}`)
  await bobSays.decide(id, { decision: 'approve', hash })
  say('bob approves')

  const approved = connect({ ...server, token: carol, approval: { id } })
  say(`destroy     ${await refused(approved.destroy(name, 'all'))}`)
  const { run, step } = await approved.rotate(name)
  say(`rotate      run ${run} begins with ${step}`)
  say(`again       ${await refused(approved.rotate(name))}`)
  await until(() => rotated(admin, name))
  const { version, value } = await carolSays.get(name)
  say(`read        version ${version}, ${value}, ${value.reveal().split('-').length} words`)

  const rolledBack = await admin.putRule('tour-four-eyes', { ...demand, actions: ['delete'] }).then(() => {
    return admin.rollback(name, { version: chosen.version })
  })
  say(`rollback    run ${rolledBack.run?.run} brings version ${rolledBack.run?.restores} back`)
  await until(() => rotated(admin, name))
  for (const one of (await admin.versions(name)).items) {
    say(`version ${one.version}   ${one.stage ?? 'no stage'}, by ${one.createdBy}, ${one.why ?? 'written'}`)
  }

  await admin.rekey()
  await until(async () => (await admin.terms()).items[0]?.state === 'current')
  for (const { term, state } of (await admin.terms()).items.slice(0, 2)) say(`term ${term}      ${state}`)
}

await runCommand({
  help: `
npx node docs/examples/rotation_tour.ts

Shows a rotation that needs an approval, a rollback and a new key against a running server. Its token is read from
TOKEN, and its address from POSTERN_ENDPOINT, http://127.0.0.1:8787 unless set.`,
  run: tour,
  failure: 'Tour cannot continue',
})
