/**
 * OpenAPI texts for the audit log.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group, type Raw } from './described.ts'

const hash = `${'A'.repeat(43)}=`
const text = (description: string): readonly Raw[] => [{ type: 'text/plain', description }]

/** Routes for the audit log. */
export const audit = group(
  'Audit',
  'The audit log, a Merkle tree (RFC 6962) over canonical JSON entries (RFC 8785), and its proofs.',
  {
    listEntries: {
      summary: 'List log entries as they are hashed',
      answer: wire.AuditEntries,
    },
    listOwnEntries: {
      summary: "List the caller's own entries, newest first",
      answer: wire.MyEntries,
    },
    exportEntries: {
      summary: 'Export log entries',
      description: 'The header `Link` with `rel="next"` names the next page.',
      answer: [
        { type: 'application/x-ndjson', description: '`jsonl`, the canonical entries, or `ocsf`: one entry a line' },
        { type: 'text/csv', description: '`csv` (RFC 4180), with a header line' },
        { type: 'text/plain', description: '`syslog` (RFC 5424), one entry a line' },
      ],
      answerHeaders: ['Link'],
    },
    showLog: { summary: 'Get the status of the log', answer: wire.AuditStatus },
    holdLog: {
      summary: 'Set or end a legal hold',
      body: { shape: wire.HoldLog, example: { reason: 'Case 7' } },
      answer: answers.HeldLog,
      example: { min: 0, hold: 'Case 7' },
      approvable: true,
    },
    showLogKeys: {
      summary: 'List the verifier keys of the log',
      description: 'Auditors should receive these keys through another channel than this server.',
      answer: text('One verifier key a line, newest first'),
    },
    rekeyLog: {
      summary: 'Start a new term of the key that signs checkpoints',
      answer: wire.RekeyedLog,
      status: 201,
      also: ['conflict'],
    },
    showCheckpoint: {
      summary: 'Get the newest checkpoint',
      answer: text('A signed note (C2SP tlog-checkpoint)'),
      also: ['not_found', 'conflict'],
    },
    proveInclusion: {
      summary: 'Get an inclusion proof for an entry',
      answer: wire.InclusionProof,
      example: { index: 0, size: 1, leafHash: hash, root: hash, hashes: [] },
      also: ['not_found'],
    },
    proveEntry: {
      summary: 'Get a proof file that an access was logged',
      answer: text('A C2SP tlog-proof'),
      also: ['not_found', 'conflict'],
    },
    proveConsistency: {
      summary: 'Get a consistency proof between two tree sizes',
      answer: wire.ConsistencyProof,
      example: { from: 1, to: 2, hashes: [hash] },
      also: ['not_found'],
    },
    readTile: {
      summary: 'Get a tile of the tree',
      answer: [{ type: 'application/octet-stream', description: 'A sequence of 32-byte hashes (C2SP tlog-tiles)' }],
      also: ['not_found'],
    },
  },
)
