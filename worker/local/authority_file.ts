/**
 * A file of certificate authorities, read again when it changes.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { PosternError } from '../../core/errors.ts'
import { logLine } from '../telemetry/log.ts'

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** The certificates of one file. */
export class AuthorityFile {
  readonly #path: string
  readonly #setting: string
  #state: string
  #certificates: readonly string[]

  /**
   * @param setting The setting that names the file.
   * @throws {PosternError} `bad_request` for a file that cannot be read or holds no certificate.
   */
  constructor(path: string, setting: string) {
    this.#path = path
    this.#setting = setting
    this.#state = this.#stateNow()
    this.#certificates = certificatesIn(path, setting)
  }

  /**
   * Returns its certificates in PEM; the same list as long as the file does not change. While a changed file cannot be
   * used, the last certificates stay, and one line of the log says so.
   */
  read(): readonly string[] {
    const state = this.#stateNow()
    if (state === this.#state) return this.#certificates
    this.#state = state
    try {
      this.#certificates = certificatesIn(this.#path, this.#setting)
      logLine('info', 'authorities_read', { setting: this.#setting, certificates: this.#certificates.length })
    } catch (error) {
      const message = error instanceof PosternError ? error.message : 'Cannot be read'
      logLine('warn', 'authorities_unreadable', { setting: this.#setting, message })
    }
    return this.#certificates
  }

  /** Changes with the file: also when a link is moved to another file, as Kubernetes does. */
  #stateNow(): string {
    const found = statSync(this.#path, { throwIfNoEntry: false, bigint: true })
    return found === undefined ? 'none' : `${found.ino}/${found.size}/${found.mtimeNs}`
  }
}

/** @throws {PosternError} `bad_request` */
function certificatesIn(path: string, setting: string): string[] {
  const text = textOf(path, setting)
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) {
    const advice = /-----BEGIN/.test(text)
      ? 'It has a key or a request instead'
      : 'Convert DER with openssl x509 -inform der'
    throw refused(setting, `Must be a PEM file with a certificate. ${advice}`)
  }
  found.forEach((pem, i) => {
    if (!isCertificate(pem))
      throw refused(setting, `Must be a PEM file. Its certificate ${i + 1} of ${found.length} is damaged`)
  })
  return found
}

function textOf(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw refused(setting, `Must be a file that can be read (${(error as { code?: string }).code ?? 'unknown'})`)
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

function refused(setting: string, message: string): PosternError {
  return new PosternError('bad_request', `${setting}: ${message}`, { field: setting })
}
