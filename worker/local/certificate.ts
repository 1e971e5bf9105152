/**
 * The server's own certificate and key, which are renewed while it runs.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PosternError } from '../../core/errors.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { logLine } from '../telemetry/log.ts'

/** How often the files are compared with the pair in use, in milliseconds. */
const LOOK_MS = 5000
const FILES = 'POSTERN_TLS__CERT_FILE, POSTERN_TLS__KEY_FILE'

/** A certificate chain and the key of its first certificate, in PEM. */
export interface CertificatePair {
  cert: string
  key: string
}

/**
 * Reads the certificate and its key; `null` without TLS.
 *
 * @throws {PosternError} `bad_request` when a file cannot be read, or the two are not a pair.
 */
export function readTls({ tls }: Pick<Settings, 'tls'>): CertificatePair | null {
  if (tls.certFile === undefined || tls.keyFile === undefined) return null
  let pair: CertificatePair
  try {
    pair = { cert: readFileSync(tls.certFile, 'utf8'), key: readFileSync(tls.keyFile, 'utf8') }
  } catch {
    throw new PosternError('bad_request', `${FILES}: Must be files that can be read`)
  }
  if (isPair(pair)) return pair
  throw new PosternError('bad_request', `${FILES}: Must be a certificate and the key of that certificate, in PEM`)
}

function isPair({ cert, key }: CertificatePair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

/**
 * Puts a new pair to use when the files have one. Files that do not match leave the present pair in use, and are reported
 * once: at the second look, since their writer may be between the two.
 *
 * @param inUse The pair that the server has.
 * @param use Serves new connections with a pair; `null` on a runtime that needs a restart for that.
 */
export function followCertificate(
  settings: Pick<Settings, 'tls'>,
  inUse: CertificatePair,
  use: ((pair: CertificatePair) => void) | null,
): void {
  let present = inUse
  let complaint: string | null = null
  let isReported = false
  const complain = (message: string) => {
    if (message !== complaint) [complaint, isReported] = [message, false]
    else if (!isReported) {
      isReported = true
      logLine('error', 'certificate_not_renewed', { message })
    }
  }
  const look = () => {
    try {
      const found = readTls(settings)
      const isNew = found !== null && (found.cert !== present.cert || found.key !== present.key)
      if (isNew && use === null) return complain(`${FILES}: Deno takes a new certificate at its next start only`)
      complaint = null
      if (!isNew) return
      use?.(found)
      present = found
      logLine('info', 'certificate_renewed', {})
    } catch (error) {
      complain(error instanceof PosternError ? error.message : `${FILES}: Cannot be served with`)
    }
  }
  // Does not keep the process alive.
  setInterval(look, LOOK_MS).unref()
}
