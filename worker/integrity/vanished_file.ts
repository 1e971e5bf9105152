/**
 * The error of a file that vanished under an open vault.
 *
 * @module
 */

/** A file of the data folder is no longer where it was opened, so later writes to it would be lost with the process. */
export class VanishedFile extends Error {
  override readonly name = 'VanishedFile'
  /** The file or folder. */
  readonly path: string

  constructor(path: string) {
    super('File is not the one that was opened')
    this.path = path
  }
}
