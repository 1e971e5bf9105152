import * as answers from './answers.ts'
import { group } from './described.ts'

export const server = group('Server', 'The server as a whole, for whoever reaches it: no token, and no vault.', {
  isAlive: { summary: 'Tell that the process runs', answer: answers.Alive, example: { status: 'up' } },
  isReady: {
    summary: 'Tell whether it can serve',
    answer: answers.Ready,
    example: { status: 'up', providers: { aws: 'up' } },
  },
  showMetrics: {
    summary: 'Metrics for Prometheus, where settings ask for them',
    answer: [{ type: 'text/plain', description: 'Text format 0.0.4: no name of a secret or a vault' }],
  },
  showContract: { summary: 'This document', answer: [{ type: 'application/json', description: 'OpenAPI 3.1' }] },
  showDocs: { summary: 'This document as a page', answer: [{ type: 'text/html', description: 'Without any script' }] },
  showDocsStyle: { summary: 'The style of that page', answer: [{ type: 'text/css', description: 'CSS' }] },
})
