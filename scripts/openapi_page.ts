/**
 * The contract as a page to read: HTML and CSS and no script, so that it holds the strictest policy there is.
 *
 * @module
 */
import { marked } from 'marked'
import { escaped, notation, type Schema } from './openapi_notation.ts'

type Content = Record<string, { schema: Schema; example?: unknown }>

interface Referring {
  $ref?: string
}

interface Parameter extends Referring {
  name: string
  in: string
  required?: boolean
  description?: string
  schema: Schema
}

interface Answer extends Referring {
  description: string
  headers?: Record<string, unknown>
  content: Content
}

interface Operation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  parameters?: Parameter[]
  requestBody?: { required: boolean; content: Content }
  responses: Record<string, Answer>
  security?: unknown[]
}

const METHODS = ['get', 'put', 'post', 'delete'] as const
type PathItem = { parameters?: Parameter[] } & Partial<Record<(typeof METHODS)[number], Operation>>

/** An OpenAPI document, as far as the page shows it. */
export interface Api {
  info: { title: string; description: string }
  tags: { name: string; description: string }[]
  paths: Record<string, PathItem>
  components: {
    schemas: Record<string, Schema>
    responses: Record<string, Answer>
    parameters: Record<string, Parameter>
  }
}

type Placed = Operation & { path: string; method: string; shared: Parameter[] }
type Group = Api['tags'][number] & { operations: Placed[] }

/** Writes the page. */
export function page(api: Api): string {
  const { title, description } = api.info
  const { schemas, responses } = api.components
  const groups = groupsOf(api)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: HTTP API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<nav aria-label="Contents">
<p class="name"><a href="#top">${title}</a></p>
<p><a href="#overview">Overview</a> · <a href="#failures">Errors</a> · <a href="#schemas">Schemas</a> · <a href="/openapi.json">openapi.json</a></p>
${groups.map(contents).join('\n')}
</nav>
<main id="top">
<h1>${title}: HTTP API</h1>
<section id="overview">
${markdown(description)}
</section>
${groups.map((group) => section(api, group)).join('\n')}
<section id="failures">
<h2>Errors</h2>
${Object.entries(responses).map(failure).join('\n')}
</section>
<section id="schemas">
<h2>Schemas</h2>
${Object.entries(schemas).map(schemaOf).join('\n')}
</section>
</main>
</body>
</html>
`
}

function groupsOf({ tags, paths }: Api): Group[] {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [{ path, method, shared: item.parameters ?? [], ...operation }]
    }),
  )
  return tags.map((tag) => ({ ...tag, operations: operations.filter((one) => one.tags[0] === tag.name) }))
}

function contents({ name, operations }: Group): string {
  const items = operations.map(({ method, operationId, summary }) => {
    return `<li><a href="#${operationId}"><b class="${method}">${method}</b> ${escaped(summary)}</a></li>`
  })
  return `<details open><summary>${name}</summary><ul>${items.join('')}</ul></details>`
}

function section(api: Api, { name, description, operations }: Group): string {
  return `<section id="group-${name.toLowerCase()}">
<h2>${name}</h2>
${markdown(description)}
${operations.map((one) => article(api, one)).join('\n')}
</section>`
}

function article(api: Api, { path, method, shared, requestBody: body, ...about }: Placed): string {
  const parameters = [...shared, ...(about.parameters ?? [])].map((one) => found(api.components.parameters, one))
  return `<article id="${about.operationId}">
<h3>${escaped(about.summary)} <code class="id">${about.operationId}</code></h3>
<p class="route"><b class="${method}">${method.toUpperCase()}</b> <code>${escaped(path)}</code>${tokenNote(about)}</p>
${about.description === undefined ? '' : markdown(about.description)}
${parameters.length === 0 ? '' : `<h4>Parameters</h4>${table(parameters)}`}
${body === undefined ? '' : `<h4>Body${body.required ? '' : ', optional'}</h4>${content(body.content)}`}
<h4>Answers</h4>
${Object.entries(about.responses).map(answer).join('\n')}
</article>`
}

function tokenNote({ security }: Pick<Operation, 'security'>): string {
  if (security === undefined) return ''
  return ` <span class="note">${security.length === 0 ? 'no token' : 'with or without a token'}</span>`
}

function table(parameters: Parameter[]): string {
  const rows = parameters.map(({ name, in: place, required, description = '', schema }) => {
    const cells = [
      `<code>${name}</code>`,
      `${place}${required ? ', required' : ''}`,
      `<code>${notation(schema)}</code>`,
    ]
    return `<tr>${[...cells, inline(description)].map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  return `<table><thead><tr><th>name<th>in<th>type<th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`
}

function answer([status, { $ref, ...about }]: [string, Answer]): string {
  const kind = `<b class="s${status[0]}">${status}</b>`
  const name = $ref?.split('/').at(-1)
  if (name !== undefined) return `<p class="answer"><a href="#failure-${name}">${kind} ${name}</a></p>`
  return `<p class="answer">${kind} ${inline(about.description)}</p>${headers(about)}${content(about.content)}`
}

function failure([name, about]: [string, Answer]): string {
  return `<article id="failure-${name}"><h3>${name}</h3><p>${inline(about.description)}</p>
${headers(about)}${content(about.content)}</article>`
}

function headers({ headers = {} }: Answer): string {
  const names = Object.keys(headers).map((name) => `<code>${name}</code>`)
  return `<p class="note">Headers: ${names.join(', ')}</p>`
}

function content(given: Content): string {
  const forms = Object.entries(given).map(([type, { schema, example }]) => {
    const said = schema.description === undefined ? '' : `: ${inline(schema.description)}`
    const made = example === undefined ? '' : `<pre class="example">${escaped(JSON.stringify(example, null, 2))}</pre>`
    return `<p><code>${type}</code>${said}</p><pre>${notation(schema)}</pre>${made}`
  })
  return forms.join('\n')
}

function schemaOf([name, schema]: [string, Schema]): string {
  const said = schema.description === undefined ? '' : markdown(schema.description)
  return `<article id="schema-${name}"><h3>${name}</h3>\n${said}<pre>${notation(schema)}</pre></article>`
}

function found<T extends Referring>(components: Record<string, T>, one: T): T {
  return one.$ref === undefined ? one : components[one.$ref.split('/').at(-1)!]!
}

// A `<` in our texts does not begin a tag.
marked.use({ renderer: { html: ({ text }) => escaped(text) } })
const markdown = (text: string) => marked.parse(text, { async: false })
const inline = (text: string) => marked.parseInline(text, { async: false }) as string
