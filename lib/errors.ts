/**
 * Every error that leaves this package and is not about an argument: its classes, and the one way from what the Rust
 * half reports to one of them. Messages hold the program's name, never its arguments or environment.
 */
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import type { Failure } from '#binding'
import type { CommandOutput, AbortError as PublicAbortError, Step } from './types.ts'

type AnyOutput = CommandOutput<string | Buffer>

/** The fields of a CommandRootError beside its message. */
export interface ErrorFields {
  /** An errno's name ('ENOENT') or one of this package's codes ('ERR_…'). */
  code: string
  /** Negative, as Node has it. */
  errno?: number
  /** The system call that failed, or `spawn NAME` in an 'error' event. */
  syscall?: string
  /** The name the failure is about. */
  path?: string
  /** Where in the start it failed. */
  step?: Step
  /** Whatever output() had when it failed after the start. */
  output?: AnyOutput
  cause?: unknown
}

/** A failure of the system, or of what was asked of it. */
export class CommandRootError extends Error {
  declare readonly code: string
  declare readonly errno?: number | undefined
  declare readonly syscall?: string | undefined
  declare readonly path?: string | undefined
  declare readonly step?: Step | undefined
  declare readonly output?: AnyOutput | undefined

  static {
    nameErrors(CommandRootError, 'CommandRootError')
  }

  constructor(message: string, { cause, ...fields }: ErrorFields) {
    super(message, cause === undefined ? undefined : { cause })
    Object.assign(this, fields)
  }
}

/** `check` was asked for, and the program did not succeed. `output` is the whole result. */
export class ExitError<Out extends string | Buffer = string | Buffer> extends CommandRootError {
  declare readonly output: CommandOutput<Out>

  static {
    nameErrors(ExitError, 'ExitError')
  }
}

/** As Node's own, which it does not export. */
export class AbortError extends Error implements PublicAbortError {
  declare readonly code: 'ABORT_ERR'
  declare readonly output?: AnyOutput

  static {
    nameErrors(AbortError, 'AbortError')
  }

  constructor(cause: unknown, output?: AnyOutput) {
    super('The operation was aborted', { cause })
    Object.assign(this, { code: 'ABORT_ERR' }, output && { output })
  }
}

/** What an 'error' event of spawn() carries: Node's fields, and the step. */
export type SpawnError = CommandRootError & { spawnargs: readonly string[] }

/** Whether the Rust half did not do what it was asked. */
export function isFailure(result: object): result is Failure {
  return Object.hasOwn(result, 'errno') && Object.hasOwn(result, 'step')
}

/** From a failure to an error, as output() rejects with it and openRoot() throws it. `name`: what was asked for. */
export function failureError(failure: Failure, name: string, output?: AnyOutput): CommandRootError {
  const fields = {
    ...(failure.syscall && { syscall: failure.syscall }),
    path: failure.path ?? name,
    step: failure.step as Step,
    ...(output && { output }),
  }
  if (failure.reason) return new CommandRootError(reasonMessage(failure, name), { code: failure.reason, ...fields })
  const { code, text } = describeErrno(failure.errno)
  const where = failure.syscall || failure.step
  return new CommandRootError(
    `${code}: ${text}, ${where} ${quote(failure.path ?? name)}${inBrackets(failure.detail)}`,
    {
      code,
      errno: -failure.errno,
      ...fields,
    },
  )
}

/** From a failure to what spawn() throws: `syscall` is then 'spawn', as in Node. */
export function thrownBySpawn(failure: Failure, name: string): CommandRootError {
  return failure.reason ? failureError(failure, name) : spawnFailure(failure, name, 'spawn')
}

/** From a failure to what spawn() emits as 'error': `syscall` is then `spawn NAME`, and there is `spawnargs`. */
export function emittedBySpawn(failure: Failure, name: string, spawnargs: readonly string[]): SpawnError {
  return Object.assign(spawnFailure(failure, name, `spawn ${name}`), { spawnargs })
}

function spawnFailure(failure: Failure, name: string, syscall: string): CommandRootError {
  const { code, text } = describeErrno(failure.errno)
  // Node says `spawn NAME CODE` and no more; what follows tells a missing program from a missing cwd.
  const what = failure.path === undefined ? '' : ` ${quote(failure.path)}`
  const where = `${failure.syscall || failure.step}${what}`
  const message = `spawn ${shorten(name)} ${code}: ${text}, ${where}${inBrackets(failure.detail)}`
  return new CommandRootError(message, { code, errno: -failure.errno, syscall, path: name, step: failure.step as Step })
}

/** How much of stderr an ExitError's message shows. */
const SHOWN_BYTES = 1024

/** Not a success, and `check` was asked for. `stderr`: what there is of it, as it came. */
export function exitErrorOf(
  output: AnyOutput,
  stderr: Buffer | undefined,
  name: string,
  { timeout }: { timeout: number },
): ExitError {
  const { code, signal, timedOut } = output
  const how = timedOut ? `after its timeout of ${timeout} ms` : signal ? `by ${signal}` : `with ${code}`
  const said = tailOf(stderr)
  return new ExitError(`${name} ended ${how}${said && `\n${said}`}`, { code: 'ERR_EXIT', path: name, output })
}

/** The end of what was written, cut before a character and not in one. */
function tailOf(bytes: Buffer | undefined): string {
  if (!bytes) return ''
  let start = Math.max(0, bytes.length - SHOWN_BYTES)
  if (start > 0) while (((bytes[start] ?? 0) & 0xc0) === 0x80) start++
  return bytes.toString('utf8', start).trimEnd()
}

/** kill() refused by the system. */
export function killError(errno: number): CommandRootError {
  const { code, text } = describeErrno(errno)
  return new CommandRootError(`kill ${code}: ${text}`, { code, errno: -errno, syscall: 'kill' })
}

/** A Root or Executable that has been closed. `what`: 'Root' or 'Executable'; `name`: its own. */
export function closedError(what: string, name: string): CommandRootError {
  return new CommandRootError(`The ${what} '${name}' is closed`, { code: 'ERR_ROOT_CLOSED', path: name })
}

/** Node's permission model forbids it. `permission`: 'ChildProcess' or 'FileSystemRead'. */
export function accessDenied(permission: string, resource: string): Error {
  const message = `Access to this API has been restricted: ${permission} of '${resource}' is not permitted`
  return Object.assign(new Error(message), { code: 'ERR_ACCESS_DENIED', permission, resource })
}

function reasonMessage({ reason, detail, step, syscall, path }: Failure, asked: string): string {
  const name = path ?? asked
  switch (reason) {
    case 'ERR_PATH_ESCAPES_ROOT':
      return `${quote(name)} leads out of its root${after(': ', detail)}. Open a Root that holds the target, or one with resolve: 'in-root'`
    case 'ERR_SCRIPT_DENIED':
      return `${quote(name)} is a script${after(', and ', detail)}${step === 'script' ? '' : SCRIPTS_CURE}`
    case 'ERR_DIGEST_MISMATCH':
      return `${quote(name)} is not what was expected${after(': ', detail)}`
    case 'ERR_ROOT_CLOSED':
      return `${quote(name)}: its Root is closed`
    case 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM':
      return `${detail || syscall || step} is not available on this system`
    default:
      return `${quote(name)} failed at ${step}${after(': ', detail)}`
  }
}

const SCRIPTS_CURE =
  ", which the kernel would look for outside the Root (scripts: 'deny'). Say scripts: 'root' to have it found inside, or 'kernel' to allow that"

// Where libuv has no words, or such as fit a network and not a start.
const WORDS: Record<string, string> = {
  ETIMEDOUT: 'the start did not come to its end in time',
  ESTALE: 'stale file handle',
  ENOEXEC: 'neither a program that this system can run, nor a script',
}

function describeErrno(errno: number): { code: string; text: string } {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [errnoName(errno), `system error ${errno}`]
  return { code, text: WORDS[code] ?? text }
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno)
  return found ? found[0] : `E${errno}`
}

function quote(name: string): string {
  return `'${shorten(name)}'`
}

/** A name of thousands of bytes is in `path`; a message is to be read. */
function shorten(name: string): string {
  return name.length > 256 ? `${name.slice(0, 256)}...` : name
}

function after(prefix: string, detail: string | undefined): string {
  return detail ? `${prefix}${detail}` : ''
}

function inBrackets(detail: string | undefined): string {
  return detail ? ` (${detail})` : ''
}

function nameErrors(type: { prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true })
}
