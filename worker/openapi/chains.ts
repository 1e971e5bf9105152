/**
 * OpenAPI texts for chains and providers.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const chain = { resource: 'prod/**', members: [{ provider: 'aws' }, { provider: 'azure' }], cacheSeconds: 30 }

/** Routes for providers. */
export const chains = group('Providers', 'Other secret stores, and the chains that define their order.', {
  listChains: { summary: 'List chains', answer: wire.ChainList },
  putChain: {
    summary: 'Create or update a chain',
    body: { shape: wire.PutChain, example: chain },
    answer: wire.Chain,
    example: {
      ...{ id: 'prod', ...chain, onNotFound: 'stop', onDenied: 'stop', maxStaleSeconds: 0, replicate: false },
      ...{ version: 1, updatedAt: at, updatedBy: 'admin' },
    },
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  deleteChain: { summary: 'Delete a chain', answer: wire.Chain, also: ['not_found', 'conflict'], approvable: true },
  listChainNames: {
    summary: 'List names at the primary of a chain',
    answer: wire.ChainNames,
    also: ['not_found', 'conflict'],
  },
  listProviders: { summary: 'Get provider health', answer: wire.ProviderList },
})
