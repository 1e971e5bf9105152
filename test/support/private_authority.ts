/**
 * A certificate authority of a private network, and certificates that it signs. Made with openssl.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Its files, in a folder of its own. */
export interface PrivateAuthority {
  /** The file with its certificate, in PEM. */
  caFile: string
  /** Signs a certificate for names such as `DNS:store.test,IP:127.0.0.1`. */
  issue(names: string, options?: { isExpired?: boolean }): { cert: string; key: string }
  /** A certificate that is its own authority. */
  selfSigned(names: string): { cert: string; key: string }
  remove(): void
}

/** Makes an authority. Needs `program('openssl')`. */
export function makeAuthority(): PrivateAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'postern-authority-'))
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  run('req', '-x509', ...key, '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Private authority')
  let issued = 0
  return {
    caFile: join(folder, 'ca.pem'),
    issue(names, { isExpired = false } = {}) {
      const name = `leaf${issued++}`
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`)
      run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`]
      const days = isExpired ? '-1' : '2'
      run('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed, '-days', days)
      return { cert: read(`${name}.pem`), key: read(`${name}.key`) }
    },
    selfSigned(names) {
      const out = ['-keyout', 'self.key', '-out', 'self.pem', '-subj', '/CN=self']
      run('req', '-x509', ...key, '-days', '2', ...out, '-addext', `subjectAltName=${names}`)
      return { cert: read('self.pem'), key: read('self.key') }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
