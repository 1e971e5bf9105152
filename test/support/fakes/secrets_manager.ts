/**
 * AWS Secrets Manager, as far as its documentation goes: versions, labels, tokens, and a rotation function that is told
 * how to behave.
 *
 * @module
 */
import { type Asked, type Fake, fake, type Reply } from './fake.ts'

interface Kept {
  versions: Map<string, { value: string | null; labels: Set<string> }>
  rotates: boolean | null
  deleted: boolean
}

/** Fields of all requests. Each request uses some of them. */
interface Input {
  SecretId: string
  Name: string
  SecretIdList: string[]
  Filters: { Values: string[] }[]
  ClientRequestToken: string
  SecretString: string
  VersionId?: string
  VersionStages?: string[]
  VersionStage: string
  MoveToVersionId: string
  RemoveFromVersionId: string
}

export interface FakeSecretsManager extends Fake {
  secrets: Map<string, Kept>
  /** Names that the service takes for the end of an ARN, and the secrets that it finds by them. */
  takes: Map<string, string>
  /** The ARN of a secret. */
  arn(name: string): string
  /** Answers that come before all others, once each; `null` lets it through. */
  next: ((operation: string) => Reply | null)[]
  /** What the rotation function does each time that it is called; by default all that it should. */
  onRotate: (name: string, token: string) => void
  /** The tokens that the function was called with, in order. */
  rotations: string[]
  set(name: string, value: string, rotates?: boolean): string
  /** The value that a version has now, by its label. */
  value(name: string, label?: string): string | null
  labels(name: string): Record<string, string[]>
  /** What the function does in the end: it gives the version a value, and moves the label. */
  finish(name: string, token: string): void
}

const refused = (type: string, Message = ''): Reply => ({ status: 400, body: { __type: type, Message } })
const ok = (body: object): Reply => ({ status: 200, body })

/** A region with no secrets. */
export function fakeSecretsManager(): FakeSecretsManager {
  const secrets = new Map<string, Kept>()
  const labelled = ({ versions }: Kept, label: string) => [...versions].find(([, { labels }]) => labels.has(label))

  function move(secret: Kept, label: string, to: string): void {
    const from = labelled(secret, label)
    if (from?.[0] === to) return
    from?.[1].labels.delete(label)
    secret.versions.get(to)!.labels.add(label)
    if (label !== 'AWSCURRENT') return
    labelled(secret, 'AWSPREVIOUS')?.[1].labels.delete('AWSPREVIOUS')
    from?.[1].labels.add('AWSPREVIOUS')
  }

  const server: Omit<FakeSecretsManager, keyof Fake> = {
    secrets,
    takes: new Map(),
    arn: (name) => `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-Ab1Cd2`,
    next: [],
    rotations: [],
    onRotate: (name, token) => server.finish(name, token),
    set(name, value, rotates = false) {
      const id = crypto.randomUUID()
      const secret = secrets.get(name) ?? { versions: new Map(), rotates: rotates || null, deleted: false }
      secret.versions.set(id, { value, labels: new Set() })
      secrets.set(name, secret)
      move(secret, 'AWSCURRENT', id)
      return id
    },
    value: (name, label = 'AWSCURRENT') => labelled(secrets.get(name)!, label)?.[1].value ?? null,
    labels: (name) =>
      Object.fromEntries(
        [...secrets.get(name)!.versions].flatMap(([id, { labels }]) =>
          labels.size > 0 ? [[id, [...labels].sort()]] : [],
        ),
      ),
    finish(name, token) {
      const secret = secrets.get(name)!
      secret.versions.get(token)!.value ??= `made by the function for ${token}`
      move(secret, 'AWSCURRENT', token)
      secret.versions.get(token)!.labels.delete('AWSPENDING')
    },
  }

  function rotate(name: string, secret: Kept, token: string): Reply {
    if (secret.rotates === null)
      return refused('InvalidRequestException', "Secret doesn't already have a Lambda function ARN configured")
    const pending = labelled(secret, 'AWSPENDING')
    if (pending !== undefined && !pending[1].labels.has('AWSCURRENT')) {
      server.rotations.push(pending[0])
      server.onRotate(name, pending[0])
      return refused(
        'InvalidRequestException',
        "A previous rotation isn't complete. That rotation will be reattempted.",
      )
    }
    if (!secret.versions.has(token)) secret.versions.set(token, { value: null, labels: new Set() })
    move(secret, 'AWSPENDING', token)
    secret.rotates = true
    server.rotations.push(token)
    server.onRotate(name, token)
    return ok({ Name: name, VersionId: token })
  }

  function put(
    secret: Kept,
    { ClientRequestToken: id, SecretString: value, VersionStages = ['AWSCURRENT'] }: Input,
  ): Reply {
    const known = secret.versions.get(id)
    if (known !== undefined && known.value !== value) return refused('ResourceExistsException')
    if (known === undefined) secret.versions.set(id, { value, labels: new Set() })
    for (const label of VersionStages) move(secret, label, id)
    return ok({ VersionId: id })
  }

  function stage(secret: Kept, input: Input): Reply {
    const { VersionStage: label, MoveToVersionId: to, RemoveFromVersionId: from } = input
    if (labelled(secret, label)?.[0] !== from) return refused('InvalidParameterException')
    move(secret, label, to)
    return ok({})
  }

  function read(name: string, secret: Kept, { VersionId, VersionStage }: Input): Reply {
    const [id, version] = VersionId
      ? [VersionId, secret.versions.get(VersionId)]
      : (labelled(secret, VersionStage) ?? [])
    if (id === undefined || version === undefined || version.value === null) return refused('ResourceNotFoundException')
    return ok({ Name: name, VersionId: id, SecretString: version.value })
  }

  /** The secret that the service finds by an id: by its name first, then by its ARN. */
  function named(id: string): string {
    if (secrets.has(id)) return id
    return server.takes.get(id) ?? [...secrets.keys()].find((name) => server.arn(name) === id) ?? id
  }

  function create({ Name: name, SecretString: value, ClientRequestToken: id }: Input): Reply {
    if (secrets.has(name)) return refused('ResourceExistsException')
    const labels = new Set(['AWSCURRENT'])
    secrets.set(name, { versions: new Map([[id, { value, labels }]]), rotates: null, deleted: false })
    return ok({ Name: name, VersionId: id })
  }

  function list({ Filters: [filter] }: Input): Reply {
    const value = filter?.Values[0] ?? ''
    const isListed = (name: string) => (value[0] === '!' ? !name.startsWith(value.slice(1)) : name.startsWith(value))
    const SecretList = [...secrets.keys()].filter(isListed).map((Name) => ({ Name }))
    return ok({ SecretList })
  }

  function batch({ SecretIdList }: Input): Reply {
    const found = SecretIdList.map(named).filter((name) => secrets.has(name))
    const SecretValues = found.map(
      (name) => read(name, secrets.get(name)!, { VersionStage: 'AWSCURRENT' } as Input).body,
    )
    return ok({ SecretValues, Errors: [] })
  }

  function history(name: string, { versions }: Kept): Reply {
    const Versions = [...versions].map(([VersionId, { labels }]) => ({ VersionId, VersionStages: [...labels] }))
    return ok({ Name: name, Versions })
  }

  function answer({ headers, body }: Asked): Reply | null {
    const operation = headers.get('x-amz-target')!.replace('secretsmanager.', '')
    const instead = server.next.shift()?.(operation) ?? null
    if (instead !== null) return instead
    const input = body as Input
    if (operation === 'CreateSecret') return create(input)
    if (operation === 'ListSecrets') return list(input)
    if (operation === 'BatchGetSecretValue') return batch(input)
    const name = named(input.SecretId)
    const secret = secrets.get(name)
    if (secret === undefined) return refused('ResourceNotFoundException')
    if (operation === 'DescribeSecret') {
      const { rotates, deleted } = secret
      const VersionIdsToStages = server.labels(name)
      return ok({
        Name: name,
        ARN: server.arn(name),
        RotationEnabled: rotates,
        VersionIdsToStages,
        ...(deleted && { DeletedDate: 1 }),
      })
    }
    if (secret.deleted) return refused('InvalidRequestException', 'because it was marked for deletion')
    if (operation === 'GetSecretValue') return read(name, secret, input)
    if (operation === 'PutSecretValue') return put(secret, input)
    if (operation === 'UpdateSecretVersionStage') return stage(secret, input)
    if (operation === 'ListSecretVersionIds') return history(name, secret)
    if (operation === 'DeleteSecret') {
      secret.deleted = true
      return ok({ Name: name })
    }
    return operation === 'RotateSecret' ? rotate(name, secret, input.ClientRequestToken) : null
  }

  return Object.assign(server, fake(answer))
}
