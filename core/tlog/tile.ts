/**
 * Tiles (C2SP tlog-tiles): the tree in files of 256 hashes, which can be copied and cached.
 *
 * @module
 */
import { concat } from '../bytes.ts'
import { badRequest } from '../errors.ts'
import { type Hash, position, type ReadHashes } from './merkle.ts'

const TILE_HEIGHT = 8
/** The number of hashes in a full tile. */
export const TILE_WIDTH = 256

/** Which tile: its level (of tiles, not of nodes), its number, and how many hashes it has. */
export interface Tile {
  level: number
  n: number
  width: number
}

/**
 * Parses the path of a tile, `<level>/<n>[.p/<width>]`, with the number in groups of three digits,
 * all but the last with an `x` before them: `0/x001/x234/067`.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseTilePath(path: string): Tile {
  const match = /^(0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path)
  const level = Number(match?.[1])
  const n = Number(match?.[2]?.replaceAll(/[x/]/g, ''))
  const width = match?.[3] === undefined ? TILE_WIDTH : Number(match[3])
  const partial = match?.[3] !== undefined
  const oneForm = match !== null && formatNumber(n) === match[2] && (!partial || width < TILE_WIDTH)
  if (!oneForm || level > 63 || !Number.isSafeInteger(n))
    throw badRequest('tile', 'Tile must be named as tlog-tiles does')
  return { level, n, width }
}

/**
 * The hashes of a tile, one after another: hash i of tile n at level l covers the leaves from
 * (256 n + i) 256^l on.
 *
 * @returns `null` when the tree of `size` leaves does not have it yet.
 */
export function tileHashes({ level, n, width }: Tile, size: number, read: ReadHashes): Uint8Array | null {
  const leaves = TILE_WIDTH ** level
  if (leaves * (TILE_WIDTH * n + width) > size) return null
  const hashes: Hash[] = []
  // In slices: a statement takes 100 parameters.
  for (let at = 0; at < width; at += 64) {
    const positions = Array.from({ length: Math.min(64, width - at) }, (_, i) =>
      position(TILE_HEIGHT * level, TILE_WIDTH * n + at + i),
    )
    hashes.push(...read(positions))
  }
  return concat(...hashes)
}

/** Writes a number in groups of three digits: 1234067 is `x001/x234/067`. */
export function formatNumber(n: number): string {
  const groups: string[] = []
  for (let rest = n; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, '0'))
  }
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
}
