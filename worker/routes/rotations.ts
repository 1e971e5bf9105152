/**
 * Rotation: `…/rotations` and `…/rollback`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { openCursor, sealCursor } from '../../core/sealing/list_cursor.ts'
import type { ShownRotation } from '../../core/vault/rotation/operations.ts'
import type { Freeze } from '../../core/vault/rotation/schedule.ts'
import type { Run } from '../../core/vault/rotation/store.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson, readOptionalJson } from '../http/body.ts'
import { nameOf } from '../http/request.ts'
import type { Env } from '../http/request_context.ts'
import { answer, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'
import { reveal } from './sealed_secret.ts'
import { write } from './write_secret.ts'

const LIST = JSON.stringify(['rotations'])

/** Makes the routes of rotations and of rolling a secret back. */
export function rotationRoutes(services: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { keyring, settings } = services
  const { bodyTimeoutMs } = settings

  serve(routes, 'listRotations', async (c, { cursor, limit }) => {
    const { vault, handle, caller } = c.var
    const after = cursor === undefined ? '' : await openCursor(keyring, vault, LIST, cursor)
    const granted = await handle.call('rotation.list', caller, { after, limit })
    const { value } = granted
    const next = value.after === null ? {} : { cursor: await sealCursor(keyring, vault, LIST, value.after) }
    return answer(c, granted, { items: value.items.map(rotation), ...next } satisfies z.input<typeof wire.RotationList>)
  })

  serve(routes, 'showRotation', async (c) => {
    const granted = await c.var.handle.call('rotation.show', c.var.caller, { name: nameOf(c) })
    const body = { ...rotation(granted.value), runs: granted.value.runs.map(run) }
    return answer(c, granted, body satisfies z.input<typeof wire.RotationWithRuns>)
  })

  serve(routes, 'putRotation', async (c) => {
    const config = wire.check(wire.PutRotation, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('rotation.put', c.var.caller, { name: nameOf(c), config })
    return answer(c, granted, rotation(granted.value))
  })

  serve(routes, 'deleteRotation', async (c) => {
    const granted = await c.var.handle.call('rotation.delete', c.var.caller, { name: nameOf(c) })
    return answer(c, granted, granted.value)
  })

  serve(routes, 'rotate', async (c) => {
    const name = nameOf(c)
    const body = (await readOptionalJson(c.req.raw, bodyTimeoutMs)) ?? {}
    if (typeof body === 'object' && 'do' in body) {
      const steer = wire.check(wire.SteerRotation, body)
      const granted = await c.var.handle.call('rotation.steer', c.var.caller, { name, to: steer.do })
      return answer(c, granted, run(granted.value))
    }
    const asked = wire.check(wire.Rotate, body)
    const granted = await c.var.handle.call('rotation.start', c.var.caller, { name, restores: null, ...asked })
    return answer(c, granted, run(granted.value), 201)
  })

  serve(routes, 'rollback', async (c) => {
    const name = nameOf(c)
    const { version, force } = wire.check(wire.Rollback, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('secret.rollback', c.var.caller, { name, version })
    const { rotates, source, current } = granted.value
    if (rotates || source === null) {
      const started = await c.var.handle.call('rotation.start', c.var.caller, { name, restores: version, force })
      return answer(c, started, { name, run: run(started.value) } satisfies z.input<typeof wire.RolledBack>, 201)
    }
    const value = await reveal(services, c, source)
    const { contentType, encoding, expiresAt } = source
    const place = { vault: c.var.vault, name, contentType, encoding }
    const until = expiresAt !== null && { expiresAt }
    const rest = { contentType, encoding, expect: current, why: `rollback to ${version}`, ...until }
    const written = await c.var.handle.inTurn(name, () => write(services, c, { place, value, isKept: true, rest }))
    const body = { name, version: Number(written.value.version) }
    return answer(c, written, body satisfies z.input<typeof wire.RolledBack>, 201)
  })

  return routes
}

function rotation(row: ShownRotation): z.input<typeof wire.Rotation> {
  const { name, config, version, failures, nextAt, updatedAt, updatedBy } = row
  const { freeze, target, generate, ...rest } = config
  return {
    name,
    state: stateOf(row),
    ...rest,
    freeze: freeze.map(storedFreeze),
    target,
    generate:
      'require' in generate && generate.require ? { ...generate, require: [...generate.require] } : (generate as never),
    version,
    failures,
    ...when('nextAt', nextAt),
    ...(row.run && { run: run(row.run) }),
    updatedAt: iso(updatedAt),
    updatedBy,
  }
}

function stateOf({ run: last, nextAt, failures }: ShownRotation): z.input<typeof wire.Rotation>['state'] {
  if (last !== null && last.outcome === null) return 'running'
  if (failures > 0) return 'failing'
  return nextAt !== null && nextAt <= Date.now() ? 'due' : 'idle'
}

function run(row: Run): z.input<typeof wire.Run> {
  const { id, why, by, restores, number, replaces, step, attempts, failure, nextAt, startedAt, finishedAt, outcome } =
    row
  const { member, version } = row.provided ?? {}
  return {
    run: id,
    ...{ why, by, step, attempts },
    state: outcome ?? 'running',
    startedAt: iso(startedAt),
    ...(number !== null && { version: number }),
    ...(replaces !== null && { replaces }),
    ...(restores !== null && { restores }),
    ...(member !== undefined && { provider: member.provider }),
    ...(version !== undefined && { providerVersion: version }),
    ...(failure !== null && { failure }),
    ...when('nextTryAt', outcome === null ? nextAt : null),
    ...when('finishedAt', finishedAt),
  }
}

function storedFreeze(freeze: Freeze) {
  if ('from' in freeze) return { from: iso(freeze.from), to: iso(freeze.to) }
  const days = freeze.days && { days: [...freeze.days] }
  return 'hours' in freeze ? { ...days, hours: freeze.hours } : { days: [...freeze.days] }
}
