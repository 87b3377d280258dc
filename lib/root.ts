/** Root: a directory held open, and names resolved beneath it. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { illegalConstructor, invalidType, invalidValue } from './argument-errors.ts'
import { binding } from './binding.ts'
import { failureError } from './errors.ts'
import { type Executable, makeExecutable } from './executable.ts'
import { startBeneath } from './fork-exec.ts'
import { type Held, heldBy, hold, openHeld } from './held-root.ts'
import { pathBeneath } from './paths.ts'
import { permit } from './permission.ts'
import type { Process } from './process.ts'
import { readRootOptions } from './root-options.ts'
import type { ExecutableOptions, ProcAttr, RootOptions } from './types.ts'
import * as check from './validate.ts'

/** Closes what was forgotten, when it is collected. */
const forgotten = new FinalizationRegistry<number>((directory) => {
  binding.letGoDirectory(directory)
})

let make: (held: Held) => Root

/** A directory held open. Whatever is opened or started through it lies beneath it. Made by openRoot(). */
export class Root implements Disposable {
  static {
    make = (held) => new Root(held)
  }

  private constructor(held: Held) {
    if (!held) throw illegalConstructor()
    hold(this, held)
    if (held.directory !== undefined) forgotten.register(this, held.directory, this)
  }

  /** Its descriptor, -1 once closed. It stays this object's. */
  get fd(): number {
    const { directory } = heldBy(this)
    return directory === undefined ? -1 : binding.directoryFd(directory)
  }

  /** The path it was opened with. */
  get name(): string {
    return heldBy(this).name
  }

  /**
   * Opens a directory beneath this one. `name` is resolved by this Root's own options; the new one inherits each that
   * is not named. Throws CommandRootError: ENOENT, ENOTDIR, ERR_PATH_ESCAPES_ROOT, …
   */
  openRoot(name: string, options?: RootOptions): Root {
    check.cString(name, 'name')
    const { rules } = readRootOptions(options)
    const through = openHeld(this)
    const opened = binding.holdDirectoryBeneath(through.directory, name, rules)
    if (typeof opened !== 'number') throw failureError(opened, name)
    const [own, path] = [pathBeneath(through.name, name), pathBeneath(through.path, name)]
    return make({ directory: opened, name: own, path, through })
  }

  /**
   * Opens a program beneath this directory, whether or not it may be executed or read: its start says so. With `seal`
   * a copy in memory that nobody can change, which takes permission to read and execute it, and as long as it is large.
   */
  openExecutable(name: string, options?: ExecutableOptions): Executable {
    check.cString(name, 'name')
    return makeExecutable(openHeld(this), name, options)
  }

  /**
   * The name, from this Root, of the first executable `file` in the directories of `searchPath` ('/usr/bin:/bin', or an
   * array). Entries are taken inside the Root, a leading `/` too; an empty one is `.`; missing ones are skipped. A
   * `file` with `/` is looked at and returned as it is. Throws CommandRootError: ENOENT when it is nowhere, EACCES when
   * only what cannot be executed was found, ERR_PATH_ESCAPES_ROOT for an entry that leads out.
   */
  lookPath(file: string, searchPath: string | readonly string[]): string {
    check.cString(file, 'file')
    const entries = checkSearchPath(searchPath)
    const found = binding.lookPath(openHeld(this).directory, file, entries)
    if (typeof found !== 'string') throw failureError(found, file)
    return found
  }

  /**
   * Starts the program `name` beneath this directory, by the descriptor that was checked, as Go's os.Root.StartProcess
   * would. `argv` is all of it, argv[0] included. Throws CommandRootError where it does not start.
   */
  startProcess(name: string, argv: readonly string[], attr?: ProcAttr): Process {
    return startBeneath(this, name, argv, attr)
  }

  /** Lets go of the directory; what was opened or started through it is not touched. Twice is once. */
  close(): void {
    const held = heldBy(this)
    const { directory } = held
    if (directory === undefined) return
    held.directory = undefined
    forgotten.unregister(this)
    binding.letGoDirectory(directory)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** A Root on a duplicate of `fd`, an open directory that stays the caller's. `name`: for messages, '/dev/fd/N'. */
  static fromFd(fd: number, options?: RootOptions & { name?: string | undefined }): Root {
    check.integer(fd, 'fd', 0, check.MAX_INT32)
    const { rules, name = `/dev/fd/${fd}` } = readRootOptions(options, ['name'])
    const directory = binding.holdDirectoryFd(fd, rules)
    if (typeof directory !== 'number') throw failureError(directory, name)
    return make({ directory, name, path: resolve(name) })
  }
}

/**
 * Holds the directory at `path` open. The options are about the names under it, not about `path` itself. Throws
 * CommandRootError: ENOENT, ENOTDIR, EACCES, …
 */
export function openRoot(path: string | URL | Buffer, options?: RootOptions): Root {
  const { raw, name } = checkPath(path)
  const { rules } = readRootOptions(options)
  permit('fs.read', name)
  const directory = binding.holdDirectory(raw, rules)
  if (typeof directory !== 'number') throw failureError(directory, name)
  return make({ directory, name, path: resolve(name) })
}

function checkPath(path: unknown): { raw: string | Uint8Array; name: string } {
  if (typeof path === 'string') return { raw: check.cString(path, 'path'), name: path }
  if (path instanceof URL) {
    const name = check.cString(fileURLToPath(path), 'path')
    return { raw: name, name }
  }
  if (!(path instanceof Uint8Array)) throw invalidType('path', 'of type string or an instance of Buffer or URL', path)
  if (path.includes(0)) throw invalidValue('path', 'must be a Buffer without null bytes')
  return { raw: path, name: Buffer.from(path).toString() }
}

/** The entries of a search path: a string with ':' between them, or one string each. */
function checkSearchPath(value: unknown): string[] {
  if (typeof value === 'string') return check.cString(value, 'searchPath').split(':')
  if (!Array.isArray(value)) throw invalidType('searchPath', 'of type string or an instance of Array', value)
  return [...check.arrayOf(value, 'searchPath', check.cString)]
}
