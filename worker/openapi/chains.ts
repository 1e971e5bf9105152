import * as wire from '../../core/wire/index.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const chain = { resource: 'prod/**', members: [{ provider: 'aws' }, { provider: 'azure' }], cacheSeconds: 30 }

export const chains = group('Providers', 'Other stores, and the chains in which they are asked.', {
  listChains: { summary: 'List chains', answer: wire.ChainList },
  putChain: {
    summary: 'Make or change a chain',
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
    summary: 'List names that the primary of a chain has',
    query: wire.NamesQuery,
    answer: wire.ChainNames,
    also: ['not_found', 'conflict'],
  },
  listProviders: { summary: 'Show how the providers are', answer: wire.ProviderList },
})
