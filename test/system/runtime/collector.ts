/**
 * What a log is delivered to, on one loopback port: a sink, an anchor, and a witness (C2SP tlog-witness) that checks
 * what it signs.
 *
 * @module
 */
import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { parseBase64 } from '../../../core/bytes.ts'
import { openCheckpoint } from '../../../core/tlog/checkpoint.ts'
import type { TreeHead } from '../../../core/tlog/merkle.ts'
import { verifyConsistency } from '../../../core/tlog/proof.ts'
import { parseVerifierKey } from '../../../core/tlog/signed_note.ts'

const NAME = 'witness.test'
export const SINK_SECRET = Buffer.alloc(32, 9)

export interface Posted {
  type: string
  id: string
  body: string
  /** Whether its signature is that of Standard Webhooks under {@link SINK_SECRET}. */
  signed: boolean
}

export class Collector {
  readonly posts: Posted[] = []
  readonly anchors = new Map<string, string>()
  /** Answers everything with this status while it is set. */
  failing: number | null = null
  /** The log's verifier key: the witness signs for it alone. */
  logKey = ''
  /** What the witness signed last. */
  seen: TreeHead | null = null
  readonly #keys = generateKeyPairSync('ed25519')
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get witnessKey(): string {
    return `${NAME}+${keyId(this.#public, 4).toString('hex')}+${Buffer.concat([Buffer.of(4), this.#public]).toString('base64')}`
  }

  /** The lines that the sink has, each once. */
  lines(): string[] {
    const all = this.posts.flatMap(({ body }) => body.trimEnd().split('\n'))
    return [...new Map(all.map((line) => [JSON.parse(line).index, line])).values()]
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get #public(): Buffer {
    return rawPublicKey(this.#keys.publicKey)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const path = request.url ?? ''
    const reply = (status: number, said = '', headers = {}) => response.writeHead(status, headers).end(said)
    if (this.failing !== null) return void reply(this.failing)
    if (path === '/sink') {
      this.posts.push(postOf(request, body))
      return void reply(202)
    }
    if (path.startsWith('/anchor/')) {
      if (request.method === 'PUT') this.anchors.set(path, body)
      const kept = this.anchors.get(path)
      return void (kept === undefined ? reply(404) : reply(200, kept))
    }
    const [status, said, type = 'text/plain'] = await this.#witness(body)
    reply(status, said, { 'Content-Type': type })
  }

  async #witness(body: string): Promise<[status: number, text: string, type?: string]> {
    if (this.logKey === '') return [404, 'no such log']
    const [head = '', ...rest] = body.split('\n\n')
    const note = rest.join('\n\n')
    const [old = '', ...proof] = head.split('\n')
    const size = Number(/^old (\d+)$/.exec(old)?.[1])
    const checkpoint = await openCheckpoint(note, [await parseVerifierKey(this.logKey)])
    if (checkpoint === null) return [403, 'no known key']
    if (size !== (this.seen?.size ?? 0)) return [409, `${this.seen?.size ?? 0}\n`, 'text/x.tlog.size']
    const hashes = proof.map((line) => parseBase64(line)!)
    if (this.seen && !verifyConsistency(hashes, this.seen, checkpoint)) return [422, 'inconsistent']
    this.seen = checkpoint
    const signed = note.slice(0, note.lastIndexOf('\n\n') + 1)
    const time = Math.floor(Date.now() / 1000)
    const stamp = Buffer.alloc(8)
    stamp.writeBigUInt64BE(BigInt(time))
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${signed}`), this.#keys.privateKey)
    return [200, `— ${NAME} ${Buffer.concat([keyId(this.#public, 4), stamp, signature]).toString('base64')}\n`]
  }
}

function postOf({ headers }: IncomingMessage, body: string): Posted {
  const id = String(headers['webhook-id'])
  const mac = createHmac('sha256', SINK_SECRET).update(`${id}.${headers['webhook-timestamp']}.${body}`).digest('base64')
  return { type: String(headers['content-type']), id, body, signed: headers['webhook-signature'] === `v1,${mac}` }
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url')
}

function keyId(publicKey: Buffer, type: number): Buffer {
  return createHash('sha256').update(`${NAME}\n`).update(Buffer.of(type)).update(publicKey).digest().subarray(0, 4)
}
