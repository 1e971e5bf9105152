/**
 * Findings that the user has marked as no secret.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { type KeyedHash, windowHash } from '../shared/keyed_hash.ts'

const MEMORY = 'ignoredFindings'
/** What 0.1 kept: hashes of secrets with their key beside them. */
const FORMER_MEMORY = 'ignored'
const MAX_IGNORED = 1000

/** The texts that the user marked as no secret, kept as keyed hashes. The key is in the secret storage, so no guess can be tested without it. */
export class IgnoredFindings {
  readonly #memory: vscode.Memento
  readonly #hash: KeyedHash

  /** @param hash Without it a finding is ignored in this window only. */
  constructor(memory: vscode.Memento, hash: KeyedHash = windowHash()) {
    this.#memory = memory
    this.#hash = hash
    if (memory.get(FORMER_MEMORY) !== undefined) void memory.update(FORMER_MEMORY, undefined)
  }

  /** Whether the user marked a text as no secret. */
  async has(text: string): Promise<boolean> {
    return this.#kept().length > 0 && this.#kept().includes(await this.#hash(MEMORY, text))
  }

  /** Marks a text as no secret. The oldest of more than 1000 marks is dropped. */
  async add(text: string): Promise<void> {
    const hash = await this.#hash(MEMORY, text)
    await this.#memory.update(MEMORY, [...this.#kept(), hash].slice(-MAX_IGNORED))
  }

  #kept(): string[] {
    return this.#memory.get<string[]>(MEMORY, [])
  }
}
