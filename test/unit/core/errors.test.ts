import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../../../core/client/transport.ts'
import { badRequest, PosternError, REFUSALS, type Reason, refusal } from '../../../core/errors.ts'
import { refusalOf, unwrap } from '../../../core/vault/rpc.ts'
import { refusalFrom } from '../../support/core.ts'

const CODES = [
  'bad_request',
  'unauthenticated',
  'denied',
  'mfa_required',
  'approval_required',
  'not_found',
  'conflict',
  'throttled',
  'tampered',
  'unavailable',
  'internal',
]
const reasons = Object.keys(REFUSALS) as Reason[]

describe('PosternError', () => {
  it('is an Error with a code, a message and frozen details', () => {
    const detail = { field: 'name' }
    const error = new PosternError('bad_request', 'Wrong', detail)
    detail.field = 'other'
    expect(error).toBeInstanceOf(Error)
    expect([error.name, error.code, error.message, error.detail.field]).toEqual([
      'PosternError',
      'bad_request',
      'Wrong',
      'name',
    ])
    expect(() => Object.assign(error.detail, { field: 'x' })).toThrow(TypeError)
  })

  it('has no cause, since causes quote their input', () => {
    const error = new PosternError('internal', 'Failed')
    expect('cause' in error).toBe(false)
    expect(inspect(error)).not.toContain('cause')
  })
})

describe('refusal', () => {
  it.each(reasons)('gives "%s" its code and its constant message', (reason) => {
    const error = refusal(reason)
    expect([error.code, error.message]).toEqual(REFUSALS[reason])
    expect(CODES).toContain(error.code)
    expect(error.message).toMatch(/^[A-Z].*[^.]$/)
  })

  it('states the reason where it is more specific than the code', () => {
    expect(refusal('expired').detail).toEqual({ reason: 'expired' })
    expect(refusal('denied').detail).toEqual({})
    expect(refusal('denied', { auditIndex: 3 }).detail).toEqual({ auditIndex: 3 })
    expect(refusal('exists', { auditIndex: 3 }).detail).toEqual({ auditIndex: 3, reason: 'exists' })
  })

  it('has a single reason for denied, which hides whether a secret exists', () => {
    const denials = reasons.filter((reason) => REFUSALS[reason][0] === 'denied')
    // The second comes from a provider, and is shown only to callers with the right to read.
    expect(denials).toEqual(['denied', 'provider_denied'])
  })
})

describe('badRequest', () => {
  it('names the field, and the limit if there is one', () => {
    expect(badRequest('body', 'Too large', { limitBytes: 10 }).detail).toEqual({ field: 'body', limitBytes: 10 })
    expect(badRequest('body', 'Wrong').detail).toEqual({ field: 'body' })
    expect(badRequest('body', 'Wrong').code).toBe('bad_request')
  })
})

describe('unwrap', () => {
  it('returns a granted output, with the index of its entry', () => {
    expect(unwrap({ ok: true, index: 4, quota: null, value: 'x' })).toMatchObject({ index: 4, value: 'x' })
  })

  it('throws a refusal, with the index of its entry', () => {
    const error = refusalFrom(() => unwrap({ ok: false, index: 4, quota: null, reason: 'no_secret' }))
    expect([error.code, error.detail]).toEqual(['not_found', { auditIndex: 4, reason: 'no_secret' }])
  })

  it('says when to retry after a storage failure, and names no missing entry', () => {
    const error = refusalOf({ ok: false, index: null, quota: null, reason: 'storage' })
    expect([error.code, error.detail]).toEqual(['unavailable', { reason: 'storage', retryAfterSeconds: 1 }])
  })

  it('does not reveal why a caller is unauthenticated, or whether that was recorded', () => {
    for (const index of [null, 7]) {
      expect(refusalOf({ ok: false, index, quota: null, reason: 'unauthenticated' }).detail).toEqual({})
    }
  })
})

describe('the error of a server', () => {
  it('keeps an unknown reason if it is well formed', () => {
    const told = { code: 'conflict', detail: 'Frozen' }
    for (const reason of [...reasons, 'newer_than_this']) {
      expect(errorOf({ ...told, reason }).detail).toEqual({ reason })
    }
    for (const reason of ['', 'A reason', 'k3J9xmQ2', 'x'.repeat(33), '<b>', 'a\nb']) {
      expect(errorOf({ ...told, reason }).detail).toEqual({})
    }
  })

  it('never has an unknown code', () => {
    expect(errorOf({ code: 'newer', detail: 'Something' })).toMatchObject({ code: 'unavailable', message: 'Something' })
    expect(errorOf('no problem')).toMatchObject({ code: 'unavailable', message: 'Server refused' })
  })
})
