/**
 * Findings that the user has marked as harmless.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { type KeyedHash, windowHash } from '../shared/keyed_hash.ts'

const MEMORY = 'ignoredFindings'
/** The storage key of 0.1, which stored the hashes of secrets beside the key of the hash. Its content is deleted. */
const FORMER_MEMORY = 'ignored'
const MAX_IGNORED = 1000

/**
 * The texts that the user marked as harmless, stored as keyed hashes. The key is in the secret storage, and a guess cannot
 * be tested without it.
 */
export class IgnoredFindings {
  readonly #memory: vscode.Memento
  readonly #hash: KeyedHash

  /** @param hash The hash with a stored key. By default, a finding is ignored in this window only. */
  constructor(memory: vscode.Memento, hash: KeyedHash = windowHash()) {
    this.#memory = memory
    this.#hash = hash
    if (memory.get(FORMER_MEMORY) !== undefined) void memory.update(FORMER_MEMORY, undefined)
  }

  /** Whether the user marked a text as harmless. */
  async has(text: string): Promise<boolean> {
    return this.#kept().length > 0 && this.#kept().includes(await this.#hash(MEMORY, text))
  }

  /** Marks a text as harmless. Keeps the latest 1000 marks. */
  async add(text: string): Promise<void> {
    const hash = await this.#hash(MEMORY, text)
    await this.#memory.update(MEMORY, [...this.#kept(), hash].slice(-MAX_IGNORED))
  }

  #kept(): string[] {
    return this.#memory.get<string[]>(MEMORY, [])
  }
}
