/**
 * Writes the contract: `docs/api/openapi.json`, and a page of it.
 *
 * @module
 */
import { openApi } from '../worker/contract/document.ts'
import { generated } from './generated.ts'

generated('docs/api/openapi.json', `${JSON.stringify(openApi(), null, 1)}\n`)
