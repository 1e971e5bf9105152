/**
 * Writes the contract: `docs/reference/api/openapi.json`, and a page of it.
 *
 * @module
 */
import { openApi } from '../worker/openapi/document.ts'
import { generated } from './generated.ts'
import { type Api, page } from './openapi_page.ts'

const document = openApi()

generated('docs/reference/api/openapi.json', `${JSON.stringify(document, null, 1)}\n`)
generated('docs/reference/api/index.html', page(document as unknown as Api))
