/**
 * What only some hosts can do. The browser has none of it: there the commands that need it say so.
 *
 * @module
 */
import type { Redacted } from '../../core/redacted.ts'

/** The environment that a program is to run in, beside what it inherits. */
export type EnvironmentValues = Readonly<Record<string, Redacted<string>>>

/** How a program that was run ended. */
export interface ExitStatus {
  /** `null` when it was stopped by a signal. */
  code: number | null
}

/** A program that runs. */
export interface RunningProgram {
  write(text: string): void
  stop(): void
  ended: Promise<ExitStatus>
}

export interface RunOptions {
  command: string
  /** The folder to run in; that of this process when not given. */
  folder?: string
  values: EnvironmentValues
  /** @param stream By which of the two it came: what is beside each other here may have been written apart. */
  onOutput(text: string, stream: 'stdout' | 'stderr'): void
}

/** A place where values wait for one program to fetch them, once, within half a minute. */
export interface Handover {
  /** The address of the place, and the key to it: of no use once it was read. */
  address: string
  /** The script that fetches them: run it with a command, or have Node require it. */
  script: string
  /** The program that runs the script. */
  node: string
  /**
   * The variables that the program is started with, the address among them. `null` is for one that it must not inherit: the settings of
   * a folder can put code of theirs into a terminal's programs.
   */
  environment: Record<string, string | null>
  dispose(): void
}

/** Programs and private files; both need an operating system. */
export interface Machine {
  /** The script that fetches values which were handed over. */
  launcher: string
  /**
   * Reveals values for the environment of a program that a debugger starts.
   *
   * @throws {UnfitEnvironment} when no program could be given the values.
   */
  fitting(values: EnvironmentValues): Readonly<Record<string, string>>
  /** @throws {UnfitEnvironment} before anything is started. */
  run(options: RunOptions): RunningProgram
  /** @throws {UnfitEnvironment} when no program could be given the values. */
  handOver(values: EnvironmentValues): Promise<Handover>
  /** Whether a file is in a folder once all links are followed. A file that is not there is in none. */
  isInside(path: string, folder: string): Promise<boolean>
  /** Writes a file that only its owner can read. It must not be there yet. */
  writePrivate(path: string, text: string): Promise<void>
  /**
   * Removes a file if it still begins with a text that says that it is ours. When it returns that is done: an editor
   * that closes waits for nothing that has only begun.
   */
  removeOwn(path: string, beginning: string): void
  /** Whether git ignores a file; `null` where there is no git, or no repository. */
  isIgnored(path: string): Promise<boolean | null>
}

export interface Platform {
  /** `null` in a browser. */
  machine: Machine | null
  /** A token of an identity provider that the environment offers, if it does. */
  assertion(): Promise<Redacted<string> | null>
  /** Whether a request failed because of the server's certificate. */
  isCertificateFailure(error: unknown): boolean
}
