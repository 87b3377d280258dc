/** Command: which program, with what; reusable, and nothing is opened or started until one of its methods is called. */
import type { FileHandle } from 'node:fs/promises'
import type { Failure, Identity, Request } from '#binding'
import { illegalConstructor, invalidType, invalidValue } from './argument-errors.ts'
import { attributesOf } from './attributes.ts'
import { binding } from './binding.ts'
import { spawnChild } from './child.ts'
import { ownEnvironment } from './environment.ts'
import { failureError, isFailure } from './errors.ts'
import { type Executable, isExecutable, pathOf, programOf, rootOf } from './executable.ts'
import { directoryOf, identityOf, isRoot, pathUnder } from './held-root.ts'
import { checkLines, readLines } from './lines.ts'
import { type Plan, readOptions } from './options.ts'
import { type Run, runOutput, runOutputSync } from './output.ts'
import { pathBeneath } from './paths.ts'
import { permit } from './permission.ts'
import type { Root } from './root.ts'
import { sealRequest } from './seal.ts'
import { type Slot, slotsOf } from './streams.ts'
import type {
  Child,
  ChildBy,
  CommandOptions,
  CommandOutput,
  CommandStatus,
  Encoding,
  Output,
  ProcessAttributes,
  Stdio,
} from './types.ts'
import * as check from './validate.ts'

/** The program of a command: where it is found at each start, and what it is called. */
interface Target {
  /** For messages, and what spawnfile shows. */
  readonly name: string
  /** argv[0] where the options do not say: the path at which it was named. */
  readonly argv0: string
  /** What stands for the Root that it was named beneath. */
  readonly home?: object
  readonly root?: Root
  /** Whether an interpreter can be found beside it. */
  readonly hasRoot: boolean
  /** The part of a request that says what to exec; throws for an Executable or a descriptor closed since. */
  locate(): Pick<Request, 'root' | 'name' | 'program' | 'programFd' | 'programIdentity'>
}

interface Spec {
  readonly target: Target
  readonly args: readonly string[]
  readonly options: Readonly<CommandOptions>
  readonly plan: Plan
}

let make: (spec: Spec) => Command<never, never>

/** Which program, with which arguments and options. Made by commandRoot() and commandFd(); may be started many times. */
export class Command<Out extends string | Buffer = Buffer, C extends Child = Child> {
  /** What the program is found beneath; undefined for one that is held by descriptor. */
  readonly root?: Root | undefined
  /** The program's name beneath the Root, an Executable's own, or '/dev/fd/N'. */
  readonly name: string
  /** Without argv[0]. */
  readonly args: readonly string[]
  /** A copy of what was given, deeply frozen. */
  readonly options: Readonly<CommandOptions>
  readonly #target: Target
  readonly #plan: Plan

  static {
    make = (spec) => new Command(spec)
  }

  private constructor(spec: Spec) {
    if (!spec) throw illegalConstructor()
    const { target, args, options, plan } = spec
    if (target.root) this.root = target.root
    this.name = target.name
    this.args = args
    this.options = options
    this.#target = target
    this.#plan = plan
  }

  /**
   * Starts the program, as child_process.spawn() does. EACCES, EAGAIN, EMFILE, ENFILE and ENOENT are an 'error' event
   * on the next tick; whatever else fails is thrown as CommandRootError.
   */
  spawn(): C {
    if (this.#plan.input)
      throw invalidValue('options.input', 'is for output(): write to the stdin of what spawn() returns')
    const slots = slotsOf(this.#plan.stdio, 'pipe')
    const start = { name: this.name, args: this.args, plan: this.#plan, slots, request: this.#request(slots) }
    return spawnChild(start) as C
  }

  /**
   * Runs the program to its end off the JavaScript thread. Rejects with CommandRootError when it does not start or its
   * output overflows, ExitError where `check` is asked for, AbortError after an abort; a timeout resolves.
   */
  async output(): Promise<CommandOutput<Out>> {
    return runOutput(this.#run()) as Promise<CommandOutput<Out>>
  }

  /** As output(), on this thread; throws what output() rejects with. */
  outputSync(): CommandOutput<Out> {
    return runOutputSync(this.#run()) as CommandOutput<Out>
  }

  /**
   * The program's standard output line by line, while it runs: text, the \n (and a \r before it) cut, a last line
   * without one included. Started by the first step of the loop; leaving the loop early ends the program and waits for
   * that. Returns how it ended. What does not start, an abort, a line beyond maxBuffer, and with `check` what did not
   * succeed are thrown at the loop.
   */
  lines(): AsyncGenerator<string, CommandStatus & { timedOut: boolean }, void> {
    checkLines(this.#plan)
    const slots = this.#slots()
    const start = () => ({ name: this.name, args: this.args, plan: this.#plan, slots, request: this.#request(slots) })
    return readLines(start, this.#plan)
  }

  #run(): Run {
    return { name: this.name, plan: this.#plan, request: this.#request(this.#slots()) }
  }

  /** Where all is read here: nobody could read a pipe beyond 2. */
  #slots(): Slot[] {
    const slots = slotsOf(this.#plan.stdio, this.#plan.input ? 'pipe' : 'ignore')
    const unread = slots.findIndex((slot, i) => i > 2 && slot === 'pipe')
    if (unread > 0) throw invalidValue(`options.stdio[${unread}]`, 'is a pipe that nobody could read: use spawn()')
    return slots
  }

  #request(slots: Slot[]): Request {
    permit('child', this.name)
    const { argv0, cwd, cwdRoot, attributes, group, seal, scripts } = this.#plan
    const env = this.#plan.env ?? ownEnvironment()
    const request = check.bare<Request>({
      ...this.#target.locate(),
      argv: [argv0 ?? argv0Of(this.#target, attributes?.chroot), ...this.args],
      stdio: slots,
      group,
      ...sealRequest(seal),
      scripts,
    })
    if (attributes) request.attributes = attributesOf(attributes)
    if (env) request.env = [...env]
    if (cwd !== undefined) request.cwd = cwd
    if (cwdRoot) request.cwdRoot = directoryOf(cwdRoot)
    return request
  }
}

/** The program `name` beneath `root`. Throws for arguments alone: what is not there shows when it is started. */
export function commandRoot<const S extends Stdio | undefined = undefined, E extends Encoding | undefined = undefined>(
  root: Root,
  name: string,
  args?: readonly string[],
  options?: CommandOptions<S, E>,
): Command<Output<E>, ChildBy<S>> {
  if (!isRoot(root)) throw invalidType('root', 'an instance of Root', root)
  check.cString(name, 'name')
  const target = {
    name,
    root,
    hasRoot: true,
    argv0: pathUnder(root, name),
    home: identityOf(root),
    locate: () => ({ root: directoryOf(root), name }),
  }
  return command(target, args, options)
}

/** The program that an Executable or a descriptor holds. A descriptor stays the caller's, and open until the start. */
export function commandFd<const S extends Stdio | undefined = undefined, E extends Encoding | undefined = undefined>(
  executable: Executable | number | FileHandle,
  args?: readonly string[],
  options?: CommandOptions<S, E>,
): Command<Output<E>, ChildBy<S>> {
  return command(isExecutable(executable) ? heldTarget(executable) : descriptorTarget(executable), args, options)
}

function command<Out extends string | Buffer, C extends Child>(
  target: Target,
  args: unknown,
  options: unknown,
): Command<Out, C> {
  const checked = check.arrayOf(args ?? [], 'args', (arg, name) => check.cString(arg, name, false))
  const { plan, options: shown } = readOptions(options)
  if (plan.scripts === 'root' && !target.hasRoot)
    throw invalidValue('options.scripts', 'needs a Root to find the interpreter in: a descriptor has none', 'root')
  return make({ target: check.bare(target), args: checked, plan, options: shown })
}

/** In a chroot: the path that it has there where that is its own Root, else its plain name. */
function argv0Of({ argv0, name, home }: Target, chroot: ProcessAttributes['chroot']): string {
  if (chroot === undefined || !home) return argv0
  return isRoot(chroot) && identityOf(chroot) === home ? pathBeneath('/', name) : name
}

function heldTarget(executable: Executable): Target {
  return {
    name: executable.name,
    hasRoot: true,
    argv0: pathOf(executable),
    home: rootOf(executable),
    locate: () => ({ program: programOf(executable) }),
  }
}

/** What the number stands for is noted now: should it stand for another file at the start, that is refused. */
function descriptorTarget(given: unknown): Target {
  const fd = numberOf(given)
  const name = `/dev/fd/${fd}`
  const programIdentity = orThrow(identify(fd), name)
  const locate = (): ReturnType<Target['locate']> => {
    const programFd = numberOf(given)
    if (programFd < 0) throw failureError(CLOSED, name)
    return { programFd, programIdentity }
  }
  return { name, hasRoot: false, argv0: name, locate }
}

const CLOSED: Failure = { errno: 9, step: 'open', syscall: 'fcntl' } // EBADF: a FileHandle's fd is -1 once closed

function identify(fd: number): Identity | Failure {
  return fd < 0 ? CLOSED : binding.identify(fd)
}

function orThrow<T extends object>(result: T | Failure, name: string): T {
  if (isFailure(result)) throw failureError(result, name)
  return result as T
}

/** A FileHandle is told by its shape: Node does not export the class. */
function numberOf(given: unknown): number {
  if (typeof given === 'number') return check.integer(given, 'executable', 0, check.MAX_INT32)
  if (typeof given === 'object' && given !== null && !isRoot(given)) {
    const fd: unknown = Reflect.get(given, 'fd')
    if (typeof fd === 'number') return check.integer(fd, 'executable.fd', -1, check.MAX_INT32)
  }
  throw invalidType('executable', 'of type number or an instance of Executable or FileHandle', given)
}
