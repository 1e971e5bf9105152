/**
 * The shape of OTLP's JSON: `trace.proto` of opentelemetry-proto 1.x in the JSON mapping of the OTLP specification, with
 * hexadecimal ids and 64-bit numbers as strings.
 *
 * @module
 */
import * as z from 'zod'

const nanos = z.string().regex(/^[1-9][0-9]{18}$/)
const Attribute = z.strictObject({
  key: z.string().min(1),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
  ]),
})
const Span = z
  .strictObject({
    traceId: z.string().regex(/^[0-9a-f]{32}$/),
    spanId: z.string().regex(/^[0-9a-f]{16}$/),
    parentSpanId: z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .optional(),
    name: z.string().min(1),
    kind: z.int().min(1).max(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: z.array(Attribute),
    status: z.strictObject({ code: z.int().min(0).max(2).optional() }),
  })
  .refine((span) => BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), 'Ends before it starts')
const Scope = z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(Span).min(1) })
const Export = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({ resource: z.strictObject({ attributes: z.array(Attribute) }), scopeSpans: z.array(Scope) }),
  ),
})

export type OtlpSpan = z.output<typeof Span>

/** Fails when a value is not a valid trace export. */
export function expectOtlp(body: unknown): void {
  const { resourceSpans } = Export.parse(body)
  const names = resourceSpans.flatMap(({ resource }) => resource.attributes.map(({ key }) => key))
  if (!names.includes('service.name')) throw new TypeError('Resource has no service.name')
}
