/**
 * The way out of a process: through the operator's proxy, and with the operator's certificate authorities. Each runtime has
 * its own mechanism for both, and all behave alike.
 *
 * @module
 */
import { isExempt } from '../../core/http/no_proxy.ts'
import type { Fetch } from '../../core/http/send.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { AuthorityFile } from './authority_file.ts'
import { clientOf } from './http_client.ts'

/** What sends the requests of a process. */
export interface Outbound {
  /** For all requests; `undefined` if no setting changes the fetch of the platform. */
  fetch: Fetch | undefined
  /**
   * For the requests of one provider, which trusts the authorities in a file besides all others.
   *
   * @param setting The setting that names the file.
   * @throws {PosternError} `bad_request` for a file without a certificate.
   */
  trusting(file: string, setting: string): Fetch
}

/**
 * Opens the way out that settings describe.
 *
 * @throws {PosternError} `bad_request` for a file of authorities without a certificate.
 */
export function outboundOf(settings: Pick<Settings, 'caFile' | 'proxy' | 'noProxy'>): Outbound {
  const { caFile, proxy } = settings
  const common = caFile === undefined ? [] : [new AuthorityFile(caFile, 'POSTERN_CA_FILE')]
  const isChanged = caFile !== undefined || proxy !== undefined
  return {
    fetch: isChanged ? fetchOver(settings, common) : undefined,
    trusting: (file, setting) => fetchOver(settings, [...common, new AuthorityFile(file, setting)]),
  }
}

function fetchOver({ proxy, noProxy }: Pick<Settings, 'proxy' | 'noProxy'>, files: readonly AuthorityFile[]): Fetch {
  const [direct, proxied] = [clientOver(files, null), proxy === undefined ? null : clientOver(files, proxy.reveal())]
  return (request) => {
    const client = proxied === null || isExempt(new URL(request.url), noProxy) ? direct : proxied
    return client(request)
  }
}

/** A client that is replaced when a file of its authorities changes. */
function clientOver(files: readonly AuthorityFile[], proxy: string | null): Fetch {
  let used: readonly (readonly string[])[] = []
  let client: Fetch | null = null
  return (request) => {
    const current = files.map((file) => file.read())
    if (client === null || current.some((certificates, i) => certificates !== used[i])) {
      used = current
      client = clientOf(current.flat(), proxy)
    }
    return client(request)
  }
}
