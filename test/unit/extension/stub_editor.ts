/**
 * An editor without a window: `vi.mock('vscode', async () => (await import('./stub_editor.ts')).api)`.
 *
 * Documents are texts by address. Questions are noted, and answered in the order of `editor.answers`.
 */

import type { EnvironmentValues, Machine, RunOptions } from '../../../extension/platform/platform.ts'

export interface StubUri {
  scheme: string
  authority: string
  path: string
  fsPath: string
  toString(): string
}

class Uri implements StubUri {
  readonly scheme: string
  readonly authority: string
  readonly path: string
  constructor(scheme: string, authority: string, path: string) {
    Object.assign(this, { scheme, authority, path })
    this.scheme = scheme
    this.authority = authority
    this.path = path
  }
  get fsPath() {
    return this.path
  }
  toString() {
    return `${this.scheme}://${this.authority}${this.path}`
  }
  static joinPath(base: Uri, ...parts: string[]) {
    const resolved = new URL(parts.join('/').replace(/^\/+/, ''), `x://x${base.path.replace(/\/?$/, '/')}`)
    return new Uri(base.scheme, base.authority, decodeURIComponent(resolved.pathname))
  }
}

/** The address of a file of this machine, or of one that is elsewhere. */
export const uriOf = (path: string, scheme = 'file', authority = ''): StubUri => new Uri(scheme, authority, path)

export interface Question {
  question: string
  detail: string
  choices: string[]
}

interface Tool {
  invoke(given: { input: object }, token: unknown): Promise<{ parts: { text: string }[] }>
}

interface Terminal {
  open(): void
  onDidWrite(hear: (text: string) => void): void
  onDidClose(hear: (code: number) => void): void
}

const nothing = () => ({ dispose() {} })

class Position {
  readonly line: number
  readonly character: number
  constructor(line: number, character: number) {
    this.line = line
    this.character = character
  }
  translate(lines: number, characters = 0) {
    return new Position(this.line + lines, this.character + characters)
  }
}

class Range {
  readonly start: Position
  readonly end: Position
  constructor(start: Position, end: Position) {
    this.start = start
    this.end = end
  }
}

/** A document over the text of a file, as it is when it is read. */
function documentOf(uri: StubUri) {
  const text = () => editor.files.get(`${uri}`) ?? ''
  const offsetAt = ({ line, character }: Position) =>
    text()
      .split('\n')
      .slice(0, line)
      .reduce((sum, one) => sum + one.length + 1, character)
  return {
    uri,
    languageId: /\.env$/.test(uri.path) ? 'dotenv' : 'typescript',
    isDirty: false,
    offsetAt,
    getText: (range?: Range) => (range ? text().slice(offsetAt(range.start), offsetAt(range.end)) : text()),
    positionAt(offset: number) {
      const lines = text().slice(0, offset).split('\n')
      return new Position(lines.length - 1, lines.at(-1)!.length)
    },
    lineAt: (line: number) => ({ text: text().split('\n')[line] ?? '' }),
    save: async () => true,
  }
}

class WorkspaceEdit {
  readonly changes: { uri: StubUri; range: Range; text: string }[] = []
  replace(uri: StubUri, range: Range, text: string) {
    this.changes.push({ uri, range, text })
  }
  insert(uri: StubUri, at: Position, text: string) {
    this.replace(uri, new Range(at, at), text)
  }
  createFile() {}
}

interface CompletionItem {
  label: string
  detail?: string
}

function emitter() {
  const hears: ((value: unknown) => void)[] = []
  return {
    event: (hear: (value: unknown) => void) => {
      hears.push(hear)
      return nothing()
    },
    fire: (value: unknown) => hears.forEach((hear) => void hear(value)),
  }
}

/** What a test sets, and what the extension did. */
export const editor = {
  files: new Map<string, string>(),
  settings: new Map<string, unknown>(),
  answers: [] as (string | undefined)[],
  questions: [] as Question[],
  complaints: [] as string[],
  /** What the user was told without being asked. */
  told: [] as string[],
  /** What input boxes said about an answer. */
  notices: [] as string[],
  commands: new Map<string, (...args: unknown[]) => unknown>(),
  tools: new Map<string, Tool>(),
  terminals: [] as { env: Record<string, string | null>; shellArgs: string[]; cwd?: StubUri }[],
  folders: [] as { uri: StubUri; name: string; index: number }[],
  remoteName: undefined as string | undefined,
  isTrusted: true,
  active: undefined as StubUri | undefined,
  tasks: null as null | { resolveTask(task: object): { execution: { make(resolved: object): Promise<Terminal> } } },
  debug: null as null | Record<string, (folder: unknown, configuration: object) => Promise<Record<string, unknown>>>,
  profile: null as null | { provideTerminalProfile(): Promise<unknown> },
  /** Providers of completions, in the order in which they were registered. */
  completions: [] as { provideCompletionItems(document: unknown, position: unknown): Promise<CompletionItem[]> }[],
  /** Providers of edits for what is pasted. */
  pastes: [] as {
    provideDocumentPasteEdits(document: unknown, ranges: unknown[], data: unknown): Promise<unknown>
  }[],
  /** The addresses of the documents that were opened. */
  opened: [] as string[],
  /** Where a test has each file be: what a link points to. */
  links: new Map<string, string>(),
  reset() {
    for (const list of [editor.answers, editor.questions, editor.complaints, editor.terminals, editor.folders])
      list.splice(0)
    for (const list of [editor.completions, editor.pastes, editor.opened, editor.told, editor.notices]) list.splice(0)
    for (const map of [editor.files, editor.settings, editor.links]) map.clear()
    Object.assign(editor, { remoteName: undefined, isTrusted: true, active: undefined })
  },
  /** Opens a folder of this machine with these files. */
  openFolder(path: string, files: Record<string, string> = {}, at: { scheme?: string; authority?: string } = {}) {
    const uri = uriOf(path, at.scheme, at.authority)
    const folder = { uri, name: path.slice(path.lastIndexOf('/') + 1), index: editor.folders.length }
    for (const [name, text] of Object.entries(files))
      editor.files.set(uriOf(`${path}/${name}`, at.scheme, at.authority).toString(), text)
    editor.folders.push(folder)
    return folder
  },
  /** The document of a file that a test has. */
  document: (path: string) => documentOf(uriOf(path)),
  /** Runs a task to its end. */
  async runTask(definition: object, scope: unknown): Promise<{ code: number; text: string }> {
    const task = editor.tasks!.resolveTask({ definition, scope, name: 'task', problemMatchers: [] })
    const terminal = await task.execution.make(definition)
    let text = ''
    terminal.onDidWrite((more) => {
      text += more
    })
    const { promise, resolve } = Promise.withResolvers<number>()
    terminal.onDidClose(resolve)
    terminal.open()
    return { code: await promise, text }
  },
  /** What a tool tells the model. */
  async useTool(name: string, input: object): Promise<string> {
    const { parts } = await editor.tools.get(name)!.invoke({ input }, { onCancellationRequested: nothing })
    return parts.map(({ text }) => text).join('')
  },
}

function folderOf(uri: StubUri) {
  return editor.folders
    .filter((one) => `${uri}`.startsWith(`${one.uri}/`))
    .sort((a, b) => b.uri.path.length - a.uri.path.length)[0]
}

interface InputBox {
  title: string
  validateInput?: (text: string) => string | { message: string } | null
}

function ask(question: string, detail: string, choices: string[]): string | undefined {
  editor.questions.push({ question, detail, choices })
  return editor.answers.shift()
}

export const api = {
  Uri,
  Position,
  Range,
  WorkspaceEdit,
  CodeActionKind: { QuickFix: {}, Source: {} },
  CompletionItemKind: {},
  InputBoxValidationSeverity: { Warning: 2 },
  CompletionItem: class {
    readonly label: string
    constructor(label: string) {
      this.label = label
    }
  },
  RelativePattern: class {
    readonly base: { uri: StubUri }
    constructor(base: { uri: StubUri }) {
      this.base = base
    }
  },
  DocumentDropOrPasteEditKind: { Empty: { append: () => ({}) } },
  DocumentPasteEdit: class {},
  ThemeIcon: class {},
  MarkdownString: class {},
  CancellationError: class extends Error {},
  TerminalProfile: class {
    constructor(options: never) {
      editor.terminals.push(options)
    }
  },
  EventEmitter: class {
    readonly #own = emitter()
    readonly event = this.#own.event
    readonly fire = this.#own.fire
  },
  Disposable: Object.assign(class {}, { from: nothing }),
  TaskScope: { Global: 1, Workspace: 2 },
  ExtensionKind: { UI: 1, Workspace: 2 },
  ConfigurationTarget: { Global: 1, Workspace: 2 },
  CustomExecution: class {
    readonly make: unknown
    constructor(make: unknown) {
      this.make = make
    }
  },
  Task: class {
    readonly definition: unknown
    readonly execution: unknown
    constructor(definition: unknown, _scope: unknown, _name: unknown, _source: unknown, execution: unknown) {
      this.definition = definition
      this.execution = execution
    }
  },
  LanguageModelTextPart: class {
    readonly text: string
    constructor(text: string) {
      this.text = text
    }
  },
  LanguageModelToolResult: class {
    readonly parts: unknown[]
    constructor(parts: unknown[]) {
      this.parts = parts
    }
  },
  l10n: {
    t: (text: string, ...args: unknown[]) => text.replaceAll(/\{(\d)\}/g, (_, n: string) => String(args[Number(n)])),
  },
  env: {
    shell: '/bin/sh',
    get remoteName() {
      return editor.remoteName
    },
  },
  window: {
    showWarningMessage: async (question: string, options: { detail?: string } | string = '', ...choices: string[]) =>
      ask(question, typeof options === 'string' ? '' : (options.detail ?? ''), choices),
    showErrorMessage: async (message: string) => void editor.complaints.push(message),
    showInformationMessage: async (message: string) => void editor.told.push(message),
    async showQuickPick(items: { label: string; description?: string }[], { title }: { title: string }) {
      const label = ask(
        title,
        '',
        items.map(({ label }) => label),
      )
      return items.find((one) => one.label === label)
    },
    showInputBox: async ({ title, validateInput }: InputBox) => {
      const answer = ask(title, '', [])
      const said = answer === undefined ? null : validateInput?.(answer)
      if (said) editor.notices.push(typeof said === 'string' ? said : said.message)
      return answer
    },
    createTerminal: (options: never) => {
      editor.terminals.push(options)
      return { show() {} }
    },
    registerTerminalProfileProvider: (_: string, provider: never) => {
      editor.profile = provider
      return nothing()
    },
    get activeTextEditor() {
      return editor.active && { document: documentOf(editor.active) }
    },
  },
  workspace: {
    get isTrusted() {
      return editor.isTrusted
    },
    get workspaceFolders() {
      return editor.folders.length === 0 ? undefined : editor.folders
    },
    getWorkspaceFolder: folderOf,
    asRelativePath(given: StubUri | string) {
      const uri = typeof given === 'string' ? uriOf(given) : given
      const folder = folderOf(uri)
      if (folder === undefined) return uri.path
      const inside = uri.path.slice(folder.uri.path.length + 1)
      return editor.folders.length > 1 ? `${folder.name}/${inside}` : inside
    },
    async openTextDocument(uri: StubUri) {
      if (!editor.files.has(`${uri}`)) throw new Error('No such file')
      editor.opened.push(`${uri}`)
      return documentOf(uri)
    },
    textDocuments: [] as unknown[],
    fs: { readFile: async (uri: StubUri) => new TextEncoder().encode(editor.files.get(`${uri}`)) },
    findFiles: async (pattern: { base?: { uri: StubUri } }) =>
      [...editor.files.keys()]
        .filter((file) => pattern.base !== undefined && file.startsWith(`${pattern.base.uri}/`))
        .filter((file) => /\.env(?:\.|$)/.test(file))
        .map((file) => uriOf(new URL(file).pathname)),
    async applyEdit({ changes }: WorkspaceEdit) {
      for (const { uri, range, text } of changes) {
        const document = documentOf(uri)
        const before = document.getText()
        const [start, end] = [document.offsetAt(range.start), document.offsetAt(range.end)]
        editor.files.set(`${uri}`, `${before.slice(0, start)}${text}${before.slice(end)}`)
      }
      return true
    },
    getConfiguration: (section: string, scope?: StubUri) => ({
      get: (key: string, usual: unknown) => editor.settings.get(`${section}.${key}`) ?? usual,
      inspect: (key: string) => ({
        globalValue: editor.settings.get(`${section}.${key}`),
        workspaceFolderValue: editor.settings.get(`${scope}:${section}.${key}`),
      }),
    }),
  },
  languages: {
    registerCodeActionsProvider: nothing,
    registerHoverProvider: nothing,
    registerDocumentDropEditProvider: nothing,
    registerCompletionItemProvider: (_: unknown, provider: never) => {
      editor.completions.push(provider)
      return nothing()
    },
    registerDocumentPasteEditProvider: (_: unknown, provider: never) => {
      editor.pastes.push(provider)
      return nothing()
    },
  },
  commands: {
    registerCommand(id: string, work: never) {
      editor.commands.set(id, work)
      return nothing()
    },
    executeCommand: async () => undefined,
  },
  tasks: {
    registerTaskProvider(_: string, provider: never) {
      editor.tasks = provider
      return nothing()
    },
  },
  debug: {
    registerDebugConfigurationProvider(_: string, provider: never) {
      editor.debug = provider
      return nothing()
    },
  },
  lm: { registerTool: (name: string, tool: Tool) => void editor.tools.set(name, tool) },
}

/** A machine that starts nothing, and notes what it was to start. */
export function stubMachine() {
  const started: { how: string; values: Record<string, string>; folder?: string }[] = []
  const note = (how: string, values: EnvironmentValues, folder?: string) =>
    void started.push({
      how,
      values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()])),
      ...(folder !== undefined && { folder }),
    })
  /** What a program prints that was started. */
  let prints = (_: RunOptions): string => ''
  const machine = {
    variable: () => undefined,
    launcher: '/extension/launch.cjs',
    run(options: RunOptions) {
      note('run', options.values, options.folder)
      options.onOutput(prints(options), 'stdout')
      return { write() {}, stop() {}, ended: Promise.resolve({ code: 0 }) }
    },
    fitting: (values: EnvironmentValues) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()])),
    async handOver(values: EnvironmentValues) {
      note('hand over', values)
      return {
        address: '/socket#key',
        script: '/extension/launch.cjs',
        node: '/node',
        environment: { NODE_OPTIONS: null },
        dispose() {},
      }
    },
    writePrivate: async () => note('write', {}),
    removeOwn() {},
    isIgnored: async () => true,
    isInside: async (path: string, folder: string) => (editor.links.get(path) ?? path).startsWith(`${folder}/`),
  } as unknown as Machine
  return {
    machine,
    started,
    print(printed: typeof prints) {
      prints = printed
    },
  }
}
