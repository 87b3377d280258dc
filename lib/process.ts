/** Process: a child in Go's terms, as forkExec() and Root.startProcess() return it. It has no streams and no events. */
import type { Ending, Request, Started } from '#binding'
import { illegalConstructor } from './argument-errors.ts'
import { processStateOf } from './ending.ts'
import { engine, type Hold } from './engine.ts'
import { failureError, isFailure, killError } from './errors.ts'
import type { ProcessState } from './types.ts'
import { bare, signalNumber } from './validate.ts'

interface Spec {
  /** For messages. */
  readonly name: string
  readonly request: Request
}

/** What wait() and waitSync() answer. */
type Outcome = { state: ProcessState } | { error: Error }

let make: (spec: Spec) => Process

/** A started program. Made by forkExec() and Root.startProcess(); reaped when it has ended, waited for or not. */
export class Process implements AsyncDisposable {
  /** Its number, which is nobody else's until its end has been waited for, or heard of by the event loop. */
  readonly pid: number
  readonly #name: string
  readonly #started: Started
  readonly #hold: Hold
  readonly #state: Promise<ProcessState>
  #conclude!: { resolve: (state: ProcessState) => void; reject: (error: unknown) => void }
  #outcome: Outcome | undefined

  static {
    make = (spec) => new Process(spec)
  }

  private constructor(spec: Spec) {
    if (!spec) throw illegalConstructor()
    this.#name = spec.name
    const result = engine().spawn(spec.request, (ending) => this.#settle(ending))
    if (isFailure(result)) throw failureError(result, spec.name)
    this.#started = result.started
    this.#hold = result.hold
    this.pid = result.started.pid
    this.#state = new Promise((resolve, reject) => {
      this.#conclude = { resolve, reject }
    })
    this.#state.catch(() => undefined) // nobody has to wait
  }

  /** A descriptor of the process (pidfd_open(2)), which stays this object's; -1 where there is none, and after its end. */
  get pidfd(): number {
    return this.#started.pidfd
  }

  /** How it ended: the same answer however often it is asked for. Rejects (ECHILD) where somebody else reaped the child. */
  wait(): Promise<ProcessState> {
    return this.#state
  }

  /** As wait(), on this thread, which does nothing else meanwhile. */
  waitSync(): ProcessState {
    const outcome = this.#outcome ?? this.#settle(engine().wait(this.#started, this.#hold))
    if ('error' in outcome) throw outcome.error
    return outcome.state
  }

  /**
   * Sends a signal: true when it was sent, false when the process has ended. By its pidfd, so never to another that has
   * its number by then. Throws ERR_UNKNOWN_SIGNAL, and CommandRootError where the system refuses (EPERM).
   */
  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    const errno = this.#started.kill(signal === 0 ? 0 : signalNumber(signal))
    if (errno === 0) return true
    const error = killError(errno)
    if (error.code === 'ESRCH') return false
    throw error
  }

  /** Keeps the event loop alive until the process has ended, as it does from the start. */
  ref(): void {
    this.#hold.ref()
  }

  /** Lets the event loop end before the process. */
  unref(): void {
    this.#hold.unref()
  }

  /** SIGKILL; resolves when the process has been reaped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL')
    this.ref()
    await this.#state.catch(() => undefined) // reaped, though by somebody else
  }

  /** The first who hears of the end, waitSync() or the engine, lets go of the process. */
  #settle(ending: Ending): Outcome {
    if (this.#outcome) return this.#outcome
    this.#outcome = this.#outcomeOf(ending)
    this.#started.release()
    if ('error' in this.#outcome) this.#conclude.reject(this.#outcome.error)
    else this.#conclude.resolve(this.#outcome.state)
    return this.#outcome
  }

  #outcomeOf(ending: Ending): Outcome {
    const { statusErrno: errno } = ending
    if (errno === undefined) return bare({ state: processStateOf(ending) })
    return bare({ error: failureError({ errno, step: 'wait', syscall: 'waitid' }, this.#name) })
  }
}

/** Starts a program on this thread; throws CommandRootError where it does not start. */
export function startProcess(name: string, request: Request): Process {
  return make({ name, request })
}
