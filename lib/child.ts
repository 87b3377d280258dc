/**
 * Child: what spawn() returns. Node's ChildProcess member for member and event for event, as a small state machine:
 *
 *     failed ────────────┐ ('error' on the next tick)
 *     running → exited ──┴→ closed ('close', once every stream of the child is closed too)
 */
import { ChildProcess } from 'node:child_process'
import { channel } from 'node:diagnostics_channel'
import { addAbortListener, EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Ending, Failure, Request, Started } from '#binding'
import { codeOf, resourceUsageOf, signalOf } from './ending.ts'
import { engine, type Hold } from './engine.ts'
import { AbortError, emittedBySpawn, failureError, isFailure, killError, thrownBySpawn } from './errors.ts'
import type { Plan } from './options.ts'
import { connect, connectNothing, handOver, type Slot } from './streams.ts'
import type { CommandStatus, Child as PublicChild, ResourceUsage } from './types.ts'
import { MAX_INT32, signalNumber } from './validate.ts'

/** Everything that one spawn() needs to know. */
export interface ChildStart {
  readonly name: string
  readonly args: readonly string[]
  readonly request: Request
  readonly slots: readonly Slot[]
  readonly plan: Plan
}

const SIGKILL = 9
/** From killSignal to SIGKILL when a child is disposed of. */
const DISPOSAL_MS = 5_000
/** Of these Node makes an 'error' event; any other failure is thrown. */
const EMITTED = new Set(['EACCES', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOENT'])
/** After these Node has not made the streams. */
const WITHOUT_STREAMS = new Set(['EMFILE', 'ENFILE'])

/** Who watches what child_process makes (tracers) is told of ours as well. */
const made = channel('child_process')

/** Starts the program. Throws what Node throws, and emits what Node emits. */
export function spawnChild(start: ChildStart): PublicChild {
  // send() and disconnect() are in ChildProcess's type alone: without an IPC channel no child has them, in Node neither.
  return new Child(start) as unknown as PublicChild
}

class Child extends EventEmitter {
  pid: number | undefined
  stdin: Socket | null | undefined
  stdout: Socket | null | undefined
  stderr: Socket | null | undefined
  stdio: (Socket | null)[] | undefined
  readonly spawnfile: string
  readonly spawnargs: string[]
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  killed = false
  readonly connected = false
  readonly status: Promise<CommandStatus>

  readonly #plan: Plan
  #state: 'failed' | 'running' | 'exited' | 'closed' = 'running'
  #started: Started | undefined
  #hold: Hold | undefined
  #usage: ResourceUsage | undefined
  #timedOut = false
  #told = false // whether the listeners of 'exit' have run
  #forced: NodeJS.Timeout | undefined
  #openEnds = 1 // the process itself; each stream that is read adds one
  #disarm: (() => void)[] = []
  #settle!: { resolve: (status: CommandStatus) => void; reject: (error: unknown) => void }

  constructor({ name, args, request, slots, plan }: ChildStart) {
    super()
    this.#plan = plan
    this.spawnfile = name
    this.spawnargs = [...request.argv]
    this.status = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.status.catch(() => undefined) // looked at or not: 'error' and 'exit' tell the same
    if (made.hasSubscribers) made.publish({ process: this })
    const result = engine().spawn(request, (ending) => this.#afterWaitingReads(() => this.#exit(ending)))
    if (isFailure(result)) this.#fail(result, name, args, slots)
    else this.#run(result.started, result.hold, slots)
    handOver(plan.stdio)
  }

  get pidfd(): number {
    return this.#told ? -1 : (this.#started?.pidfd ?? -1)
  }

  /** As Node's: true when the signal was sent; ERR_UNKNOWN_SIGNAL; EPERM is an 'error' event. */
  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    const number = signal === 0 ? 0 : signalNumber(signal)
    const errno = this.#send(number)
    if (errno === 0) {
      this.killed = true
      if (number === this.#plan.killSignal) this.#forceKillAfter(this.#plan.forceKillAfter)
      return true
    }
    if (errno === undefined) return false
    const error = killError(errno)
    if (error.code === 'EINVAL' || error.code === 'ENOSYS') throw error
    if (error.code !== 'ESRCH') this.emit('error', error)
    return false
  }

  ref(): void {
    this.#hold?.ref()
  }

  unref(): void {
    this.#hold?.unref()
  }

  resourceUsage(): ResourceUsage | undefined {
    return this.#usage
  }

  [Symbol.dispose](): void {
    if (!this.killed) this.kill()
  }

  /** killSignal, SIGKILL when that was not heeded for forceKillAfter or 5 s; resolves when the child was reaped. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#send(this.#plan.killSignal) !== 0) return
    this.killed = true
    this.ref()
    this.#forceKillAfter(this.#plan.forceKillAfter ?? DISPOSAL_MS)
    if (this.#state === 'running') await this.status.catch(() => undefined)
  }

  /** 0, a positive errno, or undefined when there is nobody to send to. */
  #send(signal: number): number | undefined {
    return this.#started?.kill(signal)
  }

  #forceKillAfter(milliseconds: number | undefined): void {
    if (milliseconds === undefined || this.#forced) return
    const force = (): void => {
      this.#send(SIGKILL)
      if (this.#state === 'closed') this.#release()
    }
    // It does not keep the loop alive: the child does, and what is left of its group is nobody's to wait for.
    this.#forced = setTimeout(force, Math.min(milliseconds, MAX_INT32)).unref()
  }

  #run(started: Started, hold: Hold, slots: readonly Slot[]): void {
    this.#started = started
    this.#hold = hold
    this.pid = started.pid
    this.#adopt(connect(started.takeStreams(), slots))
    process.nextTick(() => this.emit('spawn'))
    this.#watchTime()
    this.#watchSignal()
  }

  #fail(failure: Failure, name: string, args: readonly string[], slots: readonly Slot[]): void {
    const error = emittedBySpawn(failure, name, [...args])
    if (failure.reason || !EMITTED.has(error.code)) throw thrownBySpawn(failure, name)
    this.#state = 'failed'
    if (!WITHOUT_STREAMS.has(error.code)) this.#adopt(connectNothing(slots))
    process.nextTick(() => {
      this.exitCode = -failure.errno
      this.#settle.reject(error)
      this.#end(() => this.emit('error', error))
    })
  }

  #adopt(sockets: (Socket | null)[]): void {
    this.stdio = sockets
    const [stdin = null, stdout = null, stderr = null] = sockets
    Object.assign(this, { stdin, stdout, stderr })
    for (const socket of sockets.slice(1)) {
      if (!socket) continue
      this.#openEnds++
      socket.on('close', () => this.#closeOne())
    }
  }

  /**
   * As with child_process, whose SIGCHLD libuv looks at last: what a child has written by its end, and the end of its
   * streams, come before its 'exit'. This turn of the loop may have asked for events before the child was done, so that
   * one whole turn has to pass, unless there is nothing to be waited for.
   */
  #afterWaitingReads(act: () => void): void {
    if (!this.#hasOpenStreams()) act()
    else setImmediate(() => (this.#hasOpenStreams() ? setImmediate(act) : act()))
  }

  #hasOpenStreams(): boolean {
    return this.#openEnds > 1
  }

  #exit(ending: Ending): void {
    this.#state = 'exited'
    this.signalCode = signalOf(ending)
    this.exitCode = codeOf(ending)
    this.#usage = ending.usage && resourceUsageOf(ending.usage)
    if (!this.#plan.group) this.#letGo()
    this.#closeLater()
    this.#settleStatus(ending)
    this.#end(() => this.emit('exit', this.exitCode, this.signalCode))
  }

  #settleStatus({ statusErrno }: Ending): void {
    const [code, signal] = [this.exitCode, this.signalCode]
    if (statusErrno === undefined) {
      this.#settle.resolve({ code, signal, success: code === 0 && !this.#timedOut })
      return
    }
    const failure = { errno: statusErrno, step: 'wait', syscall: 'waitid' }
    this.#settle.reject(failureError(failure, this.spawnfile))
  }

  /** The order of Node: stdin gone, the event, then (so that its listeners may still read) the streams drained. */
  #end(tell: () => void): void {
    this.stdin?.destroy()
    try {
      tell()
    } finally {
      this.#told = true
      if (!this.#plan.group) this.#release()
      process.nextTick(() => this.#drain())
      this.#closeOne()
    }
  }

  /** No deadline, abort or second signal any more: there is nobody left whom they would be for. */
  #letGo(): void {
    for (const disarm of this.#disarm.splice(0)) disarm()
    if (!this.#plan.group) clearTimeout(this.#forced)
  }

  #release(): void {
    this.#started?.release()
    this.#started = undefined
  }

  /** waitDelay: pipes that others still hold open are closed, with what is in them by then. */
  #closeLater(): void {
    const { waitDelay } = this.#plan
    if (waitDelay === undefined) return
    const timer = setTimeout(() => closeStreams(this), Math.min(waitDelay, MAX_INT32))
    this.once('close', () => clearTimeout(timer))
  }

  /** What nobody has read is read away, so that it comes to its end and closes. */
  #drain(): void {
    for (const socket of this.stdio ?? []) if (socket?.readable) socket.resume()
  }

  #closeOne(): void {
    if (--this.#openEnds > 0) return
    this.#state = 'closed'
    if (this.#plan.group) this.#leaveGroup()
    this.emit('close', this.exitCode, this.signalCode)
  }

  /** From here on its members are their own; those that were told to end, and do not, are still killed. */
  #leaveGroup(): void {
    this.#letGo()
    if (!this.#forced) this.#release()
  }

  #watchTime(): void {
    const { timeout, killSignal } = this.#plan
    if (timeout === 0) return
    const onTime = (): void => {
      this.#timedOut = true
      this.#try(() => this.kill(killSignal))
    }
    // A timer that is set for longer would go off at once.
    const timer = setTimeout(onTime, Math.min(timeout, MAX_INT32))
    this.#disarm.push(() => clearTimeout(timer))
  }

  #watchSignal(): void {
    const { signal, killSignal } = this.#plan
    if (!signal) return
    const onAbort = (): void =>
      this.#try(() => {
        if (this.kill(killSignal)) this.emit('error', new AbortError(signal.reason))
      })
    if (signal.aborted) {
      process.nextTick(onAbort)
      return
    }
    const listening = addAbortListener(signal, onAbort)
    this.#disarm.push(() => listening[Symbol.dispose]())
  }

  #try(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.emit('error', error)
    }
  }
}

/** Closes what is read from a child, though others still hold it open. */
export function closeStreams({ stdio }: { stdio?: readonly unknown[] | undefined }): void {
  for (const stream of stdio?.slice(1) ?? []) if (stream) closeWhenQuiet(stream as Socket)
}

/** Closes a stream once nothing more comes of it; one that never falls quiet, after a while all the same. */
function closeWhenQuiet(socket: Socket, turns = 64): void {
  const before = socket.bytesRead
  setImmediate(() => {
    if (socket.destroyed) return
    if (socket.bytesRead > before && turns > 0) closeWhenQuiet(socket, turns - 1)
    else socket.destroy()
  })
}

// `instanceof ChildProcess` holds, but Node's constructor does not run: it would make a native handle that never closes.
Object.setPrototypeOf(Child.prototype, ChildProcess.prototype)
