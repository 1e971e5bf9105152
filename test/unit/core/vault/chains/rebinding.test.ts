/** A name that resolves to an external address when it is checked, and to an internal one when it is used. */
import { spawnSync } from 'node:child_process'
import dns from 'node:dns'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createPlain } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { checkUrl } from '../../../../../core/http/address_guard.ts'
import { send } from '../../../../../core/http/send.ts'
import { rejectionOf } from '../../../../support/core.ts'
import { needs, program } from '../../../../support/needs.ts'

const NAME = 'rebound.example'
const servers: Server[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function portOf(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as AddressInfo).port
}

/** A certificate of its own for a name. */
function certificateOf(name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-rebinding-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const made = spawnSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject])
  expect(made.status).toBe(0)
  const pair = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  return pair
}

/** Has every name mean this machine from now on. */
function rebind(): () => number {
  const lookup = vi.spyOn(dns, 'lookup') as unknown as { mockImplementation(fn: unknown): void; mock: { calls: [] } }
  lookup.mockImplementation((_: string, options: { all?: boolean }, done: (...result: unknown[]) => void) =>
    options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
  )
  return () => lookup.mock.calls.length
}

describe('a name that was rebound', () => {
  it(
    'row 13: gets no request, since its server cannot prove the expected identity',
    needs(program('openssl')),
    async () => {
      let heard = 0
      const listener = () => void heard++
      const ports = [
        // An internal server has a certificate for its own name, or an untrusted one, or no TLS.
        await portOf(createServer(certificateOf('vault.internal.example'), listener)),
        await portOf(createServer(certificateOf(NAME), listener)),
        await portOf(createPlain(listener)),
      ]
      const lookups = rebind()
      for (const port of ports) {
        const url = `https://${NAME}:${port}/latest/meta-data`
        expect(() => checkUrl(url)).not.toThrow()
        const error = await rejectionOf(send(url, { headers: { Authorization: 'Bearer canary' } }))
        expect([error.code, error.detail.reason]).toEqual(['unavailable', 'no_answer'])
      }
      // It was this machine that they led to, and it heard nothing.
      expect(lookups()).toBeGreaterThanOrEqual(ports.length)
      expect(heard).toBe(0)
      expect(() => checkUrl(`http://${NAME}:${ports[2]}/`, { allowLoopback: true })).toThrow('Address must be https')
    },
  )
})
