import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group, type Raw } from './described.ts'

const hash = `${'A'.repeat(43)}=`
const text = (description: string): readonly Raw[] => [{ type: 'text/plain', description }]

export const audit = group('Audit', 'The log, an RFC 6962 tree over RFC 8785 entries, and its proofs.', {
  listEntries: { summary: 'Read entries, as they were hashed', query: wire.EntriesQuery, answer: wire.AuditEntries },
  listOwnEntries: { summary: 'Read what one did oneself, newest first', query: wire.MineQuery, answer: wire.MyEntries },
  exportEntries: {
    summary: 'Read entries in a form that others take',
    description: '`Link` with `rel="next"` names the next page.',
    query: wire.ExportQuery,
    answer: [
      { type: 'application/x-ndjson', description: '`jsonl`, the canonical entries, and `ocsf`: a line each' },
      { type: 'text/csv', description: '`csv` (RFC 4180), with a header' },
      { type: 'text/plain', description: '`syslog` (RFC 5424), a line each' },
    ],
    answerHeaders: ['Link'],
  },
  showLog: { summary: 'Show how the log stands', answer: wire.AuditStatus },
  holdLog: {
    summary: 'Set a legal hold, or end it',
    body: { shape: wire.HoldLog, example: { reason: 'Case 7' } },
    answer: answers.HeldLog,
    example: { min: 0, hold: 'Case 7' },
    approvable: true,
  },
  showLogKeys: {
    summary: 'Read the verifier keys of the log',
    description: 'An auditor is given them by a way that is not this server.',
    answer: text('A verifier key a line, the newest first'),
  },
  rekeyLog: {
    summary: 'Begin a term of the key that signs checkpoints',
    answer: wire.RekeyedLog,
    status: 201,
    also: ['conflict'],
  },
  showCheckpoint: {
    summary: 'Read the newest checkpoint',
    query: wire.CheckpointQuery,
    answer: text('A signed note (C2SP tlog-checkpoint)'),
    also: ['not_found', 'conflict'],
  },
  proveInclusion: {
    summary: 'Prove that an entry is in the tree',
    query: wire.InclusionQuery,
    answer: wire.InclusionProof,
    example: { index: 0, size: 1, leafHash: hash, root: hash, hashes: [] },
    also: ['not_found'],
  },
  proveEntry: {
    summary: 'Prove by one file that an access was logged',
    answer: text('A C2SP tlog-proof'),
    also: ['not_found', 'conflict'],
  },
  proveConsistency: {
    summary: 'Prove that the log only grew',
    query: wire.ConsistencyQuery,
    answer: wire.ConsistencyProof,
    example: { from: 1, to: 2, hashes: [hash] },
    also: ['not_found'],
  },
  readTile: {
    summary: 'Read a tile of the tree',
    answer: [
      { type: 'application/octet-stream', description: 'Hashes of 32 bytes, one after another (C2SP tlog-tiles)' },
    ],
    also: ['not_found'],
  },
})
