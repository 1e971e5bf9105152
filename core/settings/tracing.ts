import * as z from 'zod/mini'
import { credential } from './audit.ts'
import { secret, text, whole } from './reader.ts'

/** Where traces go. */
export const TraceSettings = z.object({
  url: z.optional(
    text(
      'Where traces are posted, as OTLP over HTTP in JSON: the whole address, such as `https://otel.example.com/v1/traces`. When not given, none are made.',
    ),
  ),
  token: z.optional(secret(credential, 'text', 'Sent there as `Authorization: Bearer`.')),
  samplePercent: z.prefault(whole(1, 100, 'Of how many traces in a hundred are sent, by their ids.'), '100'),
})
