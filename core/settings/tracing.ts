/**
 * Settings for traces: `POSTERN_TRACES__…`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { fileName, parseBearerToken, secret, text, whole } from './reader.ts'

/** Settings for the export of traces. */
export const TraceSettings = z.object({
  url: z.optional(
    text(
      'The full URL to which traces are posted, as OTLP over HTTP in JSON, such as `https://otel.example.com/v1/traces`. If not set, no traces are recorded.',
    ),
  ),
  token: z.optional(secret(parseBearerToken, 'text', 'The bearer token for that URL.')),
  tokenFile: z.optional(fileName('A file with that token, read again at each use.')),
  samplePercent: z.prefault(whole(1, 100, 'The percentage of traces to export, selected by trace id.'), '100'),
})
