/** Executable: a program held by descriptor, so that what was looked at is what runs. */
import { illegalConstructor } from './argument-errors.ts'
import { binding } from './binding.ts'
import { closedError, failureError } from './errors.ts'
import { pathBeneath } from './paths.ts'
import { checkSeal, type Seal, sealRequest } from './seal.ts'
import * as check from './validate.ts'

/** Closes what was forgotten, when it is collected. */
const forgotten = new FinalizationRegistry<number>((program) => {
  binding.letGoProgram(program)
})

interface Opened {
  /** The Rust half's number for it. */
  program: number
  name: string
  /** What stands for the Root that it was named beneath, with that one's absolute path. */
  root: { readonly path: string }
  sha256: string | undefined
}

let make: (opened: Opened) => Executable
/** The Rust half's number of one that is open; throws ERR_ROOT_CLOSED for one that is not. */
export let programOf: (executable: Executable) => number
/** The absolute path at which the program was named. */
export let pathOf: (executable: Executable) => string
/** What stands for the Root that it was named beneath. */
export let rootOf: (executable: Executable) => object
/** Whether `value` is an Executable of this package. */
export let isExecutable: (value: unknown) => value is Executable

/** A program held by descriptor. Made by Root.openExecutable(), started by commandFd(). */
export class Executable implements Disposable {
  #program: number | undefined
  readonly #name: string
  readonly #root: { readonly path: string }
  readonly #sha256: string | undefined
  /** Once closed. */
  #size = 0

  static {
    make = (opened) => new Executable(opened)
    isExecutable = (value): value is Executable => typeof value === 'object' && value !== null && #program in value
    pathOf = (executable) => pathBeneath(executable.#root.path, executable.#name)
    rootOf = (executable) => executable.#root
    programOf = (executable) => {
      if (executable.#program === undefined) throw closedError('Executable', executable.#name)
      return executable.#program
    }
  }

  private constructor(opened: Opened) {
    if (!opened) throw illegalConstructor()
    this.#program = opened.program
    this.#name = opened.name
    this.#root = opened.root
    this.#sha256 = opened.sha256
    forgotten.register(this, opened.program, this)
  }

  /** Its descriptor, -1 once closed. It stays this object's. */
  get fd(): number {
    return this.#program === undefined ? -1 : binding.programFd(this.#program)
  }

  /** The name it was opened with, beneath its Root. */
  get name(): string {
    return this.#name
  }

  /** Bytes, when it was opened. */
  get size(): number {
    return this.#program === undefined ? this.#size : binding.programSize(this.#program)
  }

  /** Whether it is a sealed copy, which nobody can change. */
  get sealed(): boolean {
    return this.#sha256 !== undefined
  }

  /** What it was found to hold when it was sealed: 64 hexadecimal digits in lower case. */
  get sha256(): string | undefined {
    return this.#sha256
  }

  /** Lets go of the program; what was started from it is not touched. Twice is once. */
  close(): void {
    const program = this.#program
    if (program === undefined) return
    this.#program = undefined
    forgotten.unregister(this)
    this.#size = binding.letGoProgram(program)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Root.openExecutable(), for Root. `root`: what stands for it, with its number and absolute path. */
export function makeExecutable(
  root: { readonly directory: number; readonly path: string },
  name: string,
  options: unknown,
): Executable {
  const { directory } = root
  const { seal, sha256 } = options === undefined ? UNSEALED : sealRequest(readOptions(options))
  const program = seal ? binding.holdSealed(directory, name, sha256) : binding.holdProgram(directory, name)
  if (typeof program !== 'number') throw failureError(program, name)
  return make({ program, name, root, sha256: (seal && binding.programDigest(program)) || undefined })
}

const UNSEALED = Object.freeze(sealRequest(false))

/** Throws for what openExecutable() does not take. */
function readOptions(options: unknown): Seal | undefined {
  const given = check.ownProperties(check.object(options, 'options'), 'options', ['seal'])
  return given.has('seal') ? checkSeal(given.get('seal'), 'options.seal') : undefined
}
