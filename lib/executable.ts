/** Executable: a program held by descriptor, so that what was looked at is what runs. */
import type { Directory, Program } from '#binding'
import { illegalConstructor } from './argument-errors.ts'
import { closedError, failureError, isFailure } from './errors.ts'
import { checkSeal, type Seal, sealRequest } from './seal.ts'
import * as check from './validate.ts'

interface Held {
  program: Program
  name: string
  /** The absolute path at which the program was named. */
  path: () => string
}

let make: (held: Held) => Executable
let heldBy: (executable: Executable) => Held
/** Whether `value` is an Executable of this package. */
export let isExecutable: (value: unknown) => value is Executable

/** A program held by descriptor. Made by Root.openExecutable(), started by commandFd(). */
export class Executable implements Disposable {
  readonly #held: Held

  static {
    make = (held) => new Executable(held)
    heldBy = (executable) => executable.#held
    isExecutable = (value): value is Executable => typeof value === 'object' && value !== null && #held in value
  }

  private constructor(held: Held) {
    if (!held) throw illegalConstructor()
    this.#held = held
  }

  /** Its descriptor, -1 once closed. It stays this object's. */
  get fd(): number {
    return this.#held.program.fd
  }

  /** The name it was opened with, beneath its Root. */
  get name(): string {
    return this.#held.name
  }

  /** Bytes, when it was opened. */
  get size(): number {
    return this.#held.program.size
  }

  /** Whether it is a sealed copy, which nobody can change. */
  get sealed(): boolean {
    return this.sha256 !== undefined
  }

  /** What it was found to hold when it was sealed: 64 hexadecimal digits in lower case. */
  get sha256(): string | undefined {
    return this.#held.program.sha256 ?? undefined
  }

  /** Lets go of the program; what was started from it is not touched. Twice is once. */
  close(): void {
    this.#held.program.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Root.openExecutable(), for Root. `path`: says the absolute path at which the program was named. */
export function makeExecutable(directory: Directory, name: string, path: () => string, options: unknown): Executable {
  const { seal, sha256 } = sealRequest(readOptions(options))
  const program = directory.openExecutable(name, seal, sha256)
  if (isFailure(program)) throw failureError(program, name)
  return make({ program, name, path })
}

/** The Rust half of one that is open; throws ERR_ROOT_CLOSED for one that is not. */
export function programOf(executable: Executable): Program {
  const { program, name } = heldBy(executable)
  if (program.fd < 0) throw closedError('Executable', name)
  return program
}

/** The absolute path at which the program was named. */
export function pathOf(executable: Executable): string {
  return heldBy(executable).path()
}

/** Throws for what openExecutable() does not take. */
function readOptions(options: unknown): Seal | undefined {
  if (options === undefined) return undefined
  const given = check.ownProperties(check.object(options, 'options'), 'options', ['seal'])
  return given.has('seal') ? checkSeal(given.get('seal'), 'options.seal') : undefined
}
