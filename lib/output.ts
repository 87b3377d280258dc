/** output() and outputSync(): a whole run, captured, as one result or one error. */
import { addAbortListener } from 'node:events'
import type { Ending, Limits, Request } from '#binding'
import { codeOf, resourceUsageOf, signalOf } from './ending.ts'
import { engine } from './engine.ts'
import { AbortError, CommandRootError, exitErrorOf, failureError } from './errors.ts'
import type { Plan } from './options.ts'
import { handOver } from './streams.ts'
import type { CommandOutput } from './types.ts'
import { bare, MAX_INT32 } from './validate.ts'

/** Everything that one run needs to know. */
export interface Run {
  readonly name: string
  readonly request: Request
  readonly plan: Plan
}

type AnyOutput = CommandOutput<string | Buffer>

/** Runs off this thread; settles once the child has been reaped. */
export async function runOutput({ name, request, plan }: Run): Promise<AnyOutput> {
  throwIfAborted(plan)
  let aborted = false
  const ending = await new Promise<Ending>((resolve) => {
    const hold = engine().output(request, limitsOf(plan, request), (ended) => {
      listening?.[Symbol.dispose]()
      clearTimeout(timer)
      resolve(ended)
    })
    const expire = (): void => engine().expire(hold)
    const timer = plan.timeout > 0 ? setTimeout(expire, Math.min(plan.timeout, MAX_INT32)) : undefined
    const abort = (): void => {
      aborted = true
      engine().abort(hold)
    }
    const listening = plan.signal && addAbortListener(plan.signal, abort)
    handOver(plan.stdio)
  })
  // Whoever aborts before this settles sees it rejected, though the child may just have ended by itself.
  return resultOf(aborted ? bare({ ...ending, aborted }) : ending, name, plan)
}

/** Runs on this thread, which does nothing else meanwhile. */
export function runOutputSync({ name, request, plan }: Run): AnyOutput {
  throwIfAborted(plan)
  const ending = bare(engine().outputSync(request, limitsOf(plan, request)))
  handOver(plan.stdio)
  return resultOf(ending, name, plan)
}

/** An abort before the start: nothing is started. */
function throwIfAborted({ signal }: Plan): void {
  if (signal?.aborted) throw new AbortError(signal.reason)
}

function limitsOf(plan: Plan, request: Request): Limits {
  return bare({
    // A pipe that was asked for and has nothing to bring is closed at once: nobody else could do it.
    ...(request.stdio[0] === 'pipe' && { input: plan.input ?? new Uint8Array() }),
    maxBuffer: plan.maxBuffer,
    discard: plan.discard,
    timeout: plan.timeout,
    killSignal: plan.killSignal,
    ...(plan.forceKillAfter !== undefined && { forceKillAfter: plan.forceKillAfter }),
    ...(plan.waitDelay !== undefined && { waitDelay: plan.waitDelay }),
  })
}

function resultOf(ending: Ending, name: string, plan: Plan): AnyOutput {
  try {
    const error = errorOf(ending, name, plan)
    if (error) throw error
    return outputOf(ending, plan)
  } catch (error) {
    throw isTooLong(error) ? tooLong(error, ending, name) : error
  }
}

/** More than a string can hold; as bytes it is all there. */
function isTooLong(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STRING_TOO_LONG'
}

function tooLong({ message, code }: Error & { code: string }, ending: Ending, name: string): CommandRootError {
  const output = outputOf(ending, { encoding: undefined })
  return new CommandRootError(message, { code, path: name, output })
}

/** What the run failed with, if it did. An abort that came in time is the answer, whatever else went wrong. */
function errorOf(ending: Ending, name: string, plan: Plan): Error | undefined {
  const { failure, overflowed, readErrno, statusErrno } = ending
  const output = failure ? undefined : outputOf(ending, plan)
  if (ending.aborted || failure?.reason === 'ABORT_ERR') return new AbortError(plan.signal?.reason, output)
  if (failure || !output) return failure && failureError(failure, name)
  if (overflowed) {
    const code = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
    const stream = overflowed === 1 ? 'stdout' : 'stderr'
    return new CommandRootError(`${stream} maxBuffer length exceeded`, { code, path: name, output })
  }
  if (readErrno !== undefined) return failureError({ errno: readErrno, step: 'wait', syscall: 'read' }, name, output)
  if (statusErrno !== undefined)
    return failureError({ errno: statusErrno, step: 'wait', syscall: 'waitid' }, name, output)
  return plan.check && !output.success ? exitErrorOf(output, ending.stderr, name, plan) : undefined
}

function outputOf(ending: Ending, { encoding }: Pick<Plan, 'encoding'>): AnyOutput {
  const code = codeOf(ending)
  const decode = (bytes: Buffer = Buffer.alloc(0)): string | Buffer => (encoding ? bytes.toString(encoding) : bytes)
  return {
    pid: ending.pid,
    code,
    signal: signalOf(ending),
    success: code === 0 && !ending.timedOut,
    stdout: decode(ending.stdout),
    stderr: decode(ending.stderr),
    timedOut: ending.timedOut,
    truncated: ending.truncated,
    durationMs: ending.durationMs,
    resourceUsage: resourceUsageOf(ending.usage),
  }
}
