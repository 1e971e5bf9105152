/**
 * Requests to HashiCorp Vault or OpenBao with a token, which is obtained and renewed as needed.
 *
 * @module
 */
import type * as z from 'zod/mini'
import type { Received } from '../../http/send.ts'
import type { ReportEvent } from '../condition.ts'
import type { Kept, KeptCredentials } from '../credentials.ts'
import { failureOf, malformed, type ProviderOptions, readAnswer, readSource } from '../request.ts'
import {
  type HashicorpAddress,
  type HashicorpCall,
  type HashicorpRequest,
  HIDDEN_MOUNT,
  hashicorpCaller,
  NO_MOUNT,
} from './api.ts'
import type { Fields } from './fields.ts'
import { type HashicorpCredentials, type HashicorpToken, hashicorpToken, refusedWith } from './token.ts'

/** A server and the credentials for it. Every method throws {@link ProviderFailure} for every failure of the server. */
export class HashicorpSession {
  readonly #call: HashicorpCall
  readonly #credentials: KeptCredentials<HashicorpToken>
  readonly #report: ReportEvent | undefined
  #isMountReported = false

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(address: HashicorpAddress, credentials: HashicorpCredentials, options: ProviderOptions) {
    this.#call = hashicorpCaller(address, options)
    this.#credentials = hashicorpToken(credentials, this.#call, options)
    this.#report = options.report
  }

  /**
   * Renews the token if it is due.
   *
   * @returns The time of the next call, as of {@link RenewedCredentials.keep}.
   */
  keep(signal: AbortSignal, kept: Kept): Promise<number | null> {
    return this.#credentials.keep(signal, kept)
  }

  /** Sends a request and returns its response. */
  send(asked: Omit<HashicorpRequest, 'token'>): Promise<Received> {
    return this.#credentials.use(asked.signal, async ({ token }) => {
      try {
        return await this.#call({ ...asked, token })
      } catch (error) {
        const failure = failureOf(error)
        this.#reportMount(failure.code)
        throw failure.kind === 'denied' ? await refusedWith(token, this.#call, asked.signal) : failure
      }
    })
  }

  /** Sends a request and reads its response as JSON of a known form. */
  async request<T extends z.ZodMiniType>(asked: Omit<HashicorpRequest, 'token'>, schema: T): Promise<z.output<T>> {
    const received = await this.send(asked)
    const answer = readAnswer(received.body, schema)
    if (answer === null) throw malformed(received)
    return answer
  }

  /** Requests the fields of a secret, which are passed on unchanged, and the metadata beside them. */
  async requestFields<T extends z.ZodMiniType>(
    asked: Omit<HashicorpRequest, 'token'>,
    pointer: string,
    schema: T,
  ): Promise<{ fields: Fields; answer: z.output<T> }> {
    const received = await this.send(asked)
    const source = readSource(received.body)
    const value = source?.at(pointer)
    const { data: answer } = schema.safeParse(source?.parsed)
    if (!source || value?.kind !== 'object' || answer === undefined) throw malformed(received)
    return { fields: { source, value }, answer }
  }

  /** Reports a missing mount to the operator, once. */
  #reportMount(code: string | null): void {
    if (this.#isMountReported || (code !== NO_MOUNT && code !== HIDDEN_MOUNT)) return
    this.#isMountReported = true
    this.#report?.('warn', 'provider_misconfigured', { code, setting: 'mount' })
  }
}
