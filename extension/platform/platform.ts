/**
 * Capabilities that only some hosts have. In a browser, the commands that need them report that they are missing.
 *
 * @module
 */
import type { Redacted } from '../../core/redacted.ts'

/** The variables to add to the environment that a program inherits. */
export type EnvironmentValues = Readonly<Record<string, Redacted<string>>>

/** The result of a program that has ended. */
export interface ExitStatus {
  /** The exit code; `null` if a signal stopped the program. */
  code: number | null
}

/** A running program. */
export interface RunningProgram {
  write(text: string): void
  stop(): void
  ended: Promise<ExitStatus>
}

/** The program to run, its environment, and the consumer of its output. */
export interface RunOptions {
  command: string
  /** The working folder. Default: the folder of this process. */
  folder?: string
  values: EnvironmentValues
  /** @param stream The stream of the text. Two texts that arrive in succession can come from different streams. */
  onOutput(text: string, stream: 'stdout' | 'stderr'): void
}

/** An address where values wait for one program, which can fetch them once within 30 seconds. */
export interface Handover {
  /** The address with its key. It is useless after the first fetch. */
  address: string
  /** The script that fetches the values. Run it with a command, or let Node require it. */
  script: string
  /** The program that runs the script. */
  node: string
  /**
   * The variables to start the program with, including the address. `null` marks a variable that the program must not inherit,
   * because the settings of a folder could load code into the programs of a terminal.
   */
  environment: Record<string, string | null>
  dispose(): void
}

/** Operations on programs and private files, which need an operating system. */
export interface Machine {
  /** Returns a variable of the environment that programs inherit. */
  variable(name: string): string | undefined
  /** The path of the script that fetches handed-over values. */
  launcher: string
  /**
   * Reveals values for the environment of a program that a debugger starts.
   *
   * @throws {UnfitEnvironment} when the system could not pass the values to a program.
   */
  fitting(values: EnvironmentValues): Readonly<Record<string, string>>
  /**
   * Runs a command in a shell.
   *
   * @throws {UnfitEnvironment} before the command starts.
   */
  run(options: RunOptions): RunningProgram
  /**
   * Makes values available to one program.
   *
   * @throws {UnfitEnvironment} when the system could not pass the values to a program.
   */
  handOver(values: EnvironmentValues): Promise<Handover>
  /** Whether a file is in a folder after all links are followed; `false` for a missing file. */
  isInside(path: string, folder: string): Promise<boolean>
  /** Writes a file that only its owner can read. Fails if the file exists. */
  writePrivate(path: string, text: string): Promise<void>
  /**
   * Removes a file if it still begins with the text that marks it as ours. It is synchronous, because a closing editor does not
   * wait for pending work.
   */
  removeOwn(path: string, beginning: string): void
  /** Whether git ignores a file; `null` without git or a repository. */
  isIgnored(path: string): Promise<boolean | null>
}

/** The capabilities of a host. */
export interface Platform {
  /** The operations of the machine; `null` in a browser. */
  machine: Machine | null
  /** Returns the identity provider's token from the environment, or `null` without one. */
  assertion(): Promise<Redacted<string> | null>
  /** Whether a request failed because of the server's certificate. */
  isCertificateFailure(error: unknown): boolean
}
