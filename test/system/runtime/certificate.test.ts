/** The server's own certificate, renewed while it serves. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { needs, program } from '../../support/needs.ts'
import { until } from '../../support/until.ts'
import { makeSite, type Server, startEmpty } from './servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'))
const at = (name: string) => join(folder, name)
let server: Server | undefined
afterEach(async () => {
  await server?.stop()
})

/** Makes a certificate with this name for 127.0.0.1. */
function make(name: string): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)]
  expect(spawnSync('openssl', ['req', '-x509', ...curve, ...subject, ...files]).status).toBe(0)
}

/** Has the server's files be those with these names. */
function install(cert: string, key: string): void {
  copyFileSync(at(`${cert}.crt`), at('cert.pem'))
  copyFileSync(at(`${key}.key`), at('key.pem'))
}

/** The name in the certificate that a new connection gets, after a request over it was answered. */
function served(): Promise<string> {
  const port = Number(new URL(server!.endpoint).port)
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
    let answer = ''
    socket.on('secureConnect', () => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    socket.on('data', (chunk) => {
      answer += chunk
      if (!answer.includes('"up"')) return
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

describe.each(['bun', 'node', 'deno'] as const)('a certificate on %s', { timeout: 180_000 }, (runtime) => {
  it('is replaced without a restart, unless it does not match its key', needs(program('openssl')), async () => {
    for (const name of ['first', 'second', 'third']) make(name)
    install('first', 'first')
    const site = await makeSite()
    const files = { POSTERN_TLS__CERT_FILE: at('cert.pem'), POSTERN_TLS__KEY_FILE: at('key.pem') }
    server = await startEmpty(runtime, site, files)
    expect(await served()).toBe('first')
    install('second', 'third')
    const lines = () => server!.output().match(/certificate_not_renewed/g)?.length ?? 0
    await until(() => lines() > 0)
    expect(await served()).toBe('first')
    install('second', 'second')
    if (runtime === 'deno') {
      await until(() => server!.output().includes('at its next start'))
      expect(await served()).toBe('first')
    } else {
      await until(async () => (await served()) === 'second')
      expect(server.output()).toContain('certificate_renewed')
      writeFileSync(at('key.pem'), '')
      await until(() => lines() > 1)
      expect(await served()).toBe('second')
      install('third', 'third')
      await until(async () => (await served()) === 'third')
    }
    expect(server.output()).not.toContain(readFileSync(at('second.key'), 'utf8').split('\n')[1])
    expect(await server.stop()).toBe(0)
    server = undefined
    rmSync(site.data, { recursive: true, force: true })
  })

  it(
    'is refused at the start with the key of another, by the names of both settings',
    needs(program('openssl')),
    async () => {
      for (const name of ['first', 'second']) make(name)
      install('first', 'second')
      const site = await makeSite()
      const files = { POSTERN_TLS__CERT_FILE: at('cert.pem'), POSTERN_TLS__KEY_FILE: at('key.pem') }
      await expect(startEmpty(runtime, site, files)).rejects.toThrow(
        /POSTERN_TLS__CERT_FILE, POSTERN_TLS__KEY_FILE: Must be a certificate and the key of that certificate/,
      )
      site.remove()
    },
  )
})
