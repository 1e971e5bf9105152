/** A real nginx in front: which of its lines keep the names of secrets whole, as our page says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeProof, makeProofKey, type ProofKey } from '../../../core/authentication/dpop_proof.ts'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sendRaw } from '../../fuzz/raw.ts'
import { needs } from '../../support/needs.ts'
import { freePort } from '../../support/ports.ts'
import { until } from '../../support/until.ts'
import { makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'

/** Debian keeps it where the paths of users do not lead. */
const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
const nginx = folders.map((folder) => join(folder, 'nginx')).find(existsSync)

/** The ways of the page to pass a request on. */
const WAYS = { whole: '', slash: '/', uri: '$uri' } as const
type Way = keyof typeof WAYS

describe('nginx in front', needs({ met: nginx !== undefined, remedy: 'install nginx' }), () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-nginx-'))
  const ports = {} as Record<Way, number>
  let proxy: ChildProcess | undefined
  let site: Site
  let server: Server
  let client: Client
  let key: ProofKey

  beforeAll(async () => {
    site = await makeSite()
    for (const way of Object.keys(WAYS) as Way[]) ports[way] = await freePort()
    server = await startServer('node', site)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    for (const name of ['prod/db', 'Prod/DB', 'a+b=c@d']) await client.put(name, new Redacted(`value of ${name}`))
    key = await makeProofKey()
    writeFileSync(join(folder, 'nginx.conf'), configuration())
    proxy = spawn(nginx!, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
    await until(async () => (await fetch(`http://127.0.0.1:${ports.whole}/healthz`).catch(() => null))?.ok === true)
  })

  afterAll(async () => {
    proxy?.kill('SIGTERM')
    await server?.stop()
    site?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  function configuration(): string {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (one) => `${one}_temp_path ${folder}/${one};`,
    )
    const example = readFileSync(join(import.meta.dirname, '../../../docs/examples/deploy/nginx.conf'), 'utf8')
    const servers = Object.entries(WAYS).map(([way, suffix]) => {
      const line = `proxy_pass ${server.endpoint}${suffix};`
      // The lines of the example, with the port of this server.
      const location = /location \/ \{[^}]*\}/.exec(example)![0].replace('proxy_pass http://127.0.0.1:8787;', line)
      expect(location).toContain(line)
      return `server { listen 127.0.0.1:${ports[way as Way]}; ${location} }`
    })
    return `daemon off; pid ${folder}/pid; error_log /dev/null; events {} http { access_log off; ${paths.join(' ')} ${servers.join('\n')} }`
  }

  const secrets = '/v1/vaults/default/secrets/'

  /** Reads over a socket, so that no client changes the path. */
  async function read(way: Way, spelling: string): Promise<string> {
    const head = `GET ${secrets}${spelling} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${site.token.reveal()}\r\nConnection: close\r\n\r\n`
    const { text, statuses } = await sendRaw(`http://127.0.0.1:${ports[way]}`, head, 20_000)
    const { name, code } = JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '{}')
    return statuses[0] === 200 ? name : `${statuses[0]} ${code}`
  }

  /** Reads in a session that is bound to a key, with a proof of the path as it is sent. */
  async function readBound(way: Way, spelling: string): Promise<number> {
    const token = (await signIn({ endpoint: server.endpoint, vault: site.vault, token: site.token, key })).token
    let nonce: string | null = null
    for (;;) {
      // The host that nginx passes on has no port.
      const url = `http://127.0.0.1${secrets}${spelling}`
      const proof: string = await makeProof(key, { method: 'GET', url, token: token.reveal(), nonce })
      const headers = { Authorization: `DPoP ${token.reveal()}`, DPoP: proof }
      const response: Response = await fetch(`http://127.0.0.1:${ports[way]}${secrets}${spelling}`, { headers })
      await response.body?.cancel()
      if (nonce !== null) return response.status
      nonce = response.headers.get('DPoP-Nonce')
    }
  }

  it('keeps names whole by the line of our example', async () => {
    for (const [spelling, name] of [
      ['prod/db', 'prod/db'],
      ['prod%2Fdb', 'prod/db'],
      ['%50rod%2fDB', 'Prod/DB'],
      ['a+b=c@d', 'a+b=c@d'],
      ['a%2Bb%3Dc%40d', 'a+b=c@d'],
      ['prod%252Fdb', '400 bad_request'],
      ['prod//db', '400 bad_request'],
      ['prod%2F..%2Fdb', '400 bad_request'],
    ] as const) {
      expect([spelling, await read('whole', spelling)]).toEqual([spelling, name])
    }
    for (const spelling of ['prod%2Fdb', 'prod/db', 'a+b=c@d']) {
      expect([spelling, await readBound('whole', spelling)]).toEqual([spelling, 200])
    }
  })

  it('lets a token through where proxy_pass has a path, and breaks proofs, which name the path as it was sent', async () => {
    expect(await read('slash', 'prod%2Fdb')).toBe('prod/db')
    // Resolved and merged by nginx, before the decision.
    expect(await read('slash', 'x/../prod//db')).toBe('prod/db')
    expect(await readBound('slash', 'prod/db')).toBe(200)
    expect(await readBound('slash', 'prod%2Fdb')).toBe(401)
  })

  it('decodes a path twice, together with Postern, where proxy_pass has $uri', async () => {
    expect(await read('uri', 'prod%252Fdb')).toBe('prod/db')
    expect(await readBound('uri', 'prod%252Fdb')).toBe(401)
  })
})
