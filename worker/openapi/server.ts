/**
 * OpenAPI texts for the server.
 *
 * @module
 */
import * as answers from './answers.ts'
import { group } from './described.ts'

/** Routes for the server itself. */
export const server = group('Server', 'The server itself. These routes need no token and name no vault.', {
  showStart: {
    summary: 'Get a page that says where to go',
    answer: [{ type: 'text/html', description: 'HTML without scripts' }],
  },
  isAlive: { summary: 'Check liveness', answer: answers.Alive, example: { status: 'up' } },
  isReady: {
    summary: 'Check readiness',
    answer: answers.Ready,
    example: { status: 'up', providers: { aws: 'up' } },
  },
  showMetrics: {
    summary: 'Get Prometheus metrics, if settings enable them',
    answer: [{ type: 'text/plain', description: 'Prometheus text format 0.0.4, without names of secrets or vaults' }],
  },
  showContract: {
    summary: 'Get this document as JSON',
    answer: [{ type: 'application/json', description: 'OpenAPI 3.1' }],
  },
  showDocs: {
    summary: 'Get this document as a page',
    answer: [{ type: 'text/html', description: 'HTML without scripts' }],
  },
  showDocsStyle: { summary: 'Get the style sheet of the page', answer: [{ type: 'text/css', description: 'CSS' }] },
})
