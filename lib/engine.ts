/**
 * The Rust engine of this environment (main thread or worker): who waits for which ending, and whether the event loop
 * has to stay alive for it.
 */
import { AsyncResource } from 'node:async_hooks'
import type { Ending, Failure, Limits, Engine as NativeEngine, Request, Started } from '#binding'
import { binding } from './binding.ts'
import { isFailure } from './errors.ts'
import { bare } from './validate.ts'

/** Bun and Deno have libuv's names for other reasons; a poll handle of theirs panics, or looks every 10 ms. */
const HAS_NODES_LOOP = process.platform === 'linux' && !process.versions.bun && !('deno' in process.versions)

type Listener = (ending: Ending) => void

/** Keeps the event loop alive until what it stands for has ended, or unref(). */
export interface Hold {
  readonly id: number
  ref(): void
  unref(): void
}

class Engine {
  readonly #native: NativeEngine
  readonly #waiting = new Map<number, { hold: HeldRun; resource: AsyncResource; listener: Listener }>()
  #lastId = 0
  #referenced = 0

  constructor() {
    const wake = (): void => {
      for (const ending of this.#native.collect()) this.#deliver(bare(ending))
    }
    this.#native = new binding.Engine(wake, HAS_NODES_LOOP)
  }

  /** Starts on this thread. `listener` is called when the child has ended. */
  spawn(request: Request, listener: Listener): { started: Started; hold: Hold } | Failure {
    const id = ++this.#lastId
    const result = this.#native.spawn(id, request)
    return isFailure(result) ? bare(result) : { started: result, hold: this.#expect(id, listener) }
  }

  /** Waits on this thread for the end of what spawn() has started, whose listener is not called any more. */
  wait(started: Started, { id }: Hold): Ending {
    const ending = bare(started.wait())
    const waiting = this.#forget(id)
    waiting?.resource.emitDestroy()
    return ending
  }

  /** Starts on a thread of its own and captures. `listener` is called once, also when nothing could be started. */
  output(request: Request, limits: Limits, listener: Listener): Hold {
    // Started first: should that throw, nobody is left waiting. Its ending cannot come before this turn is over.
    const id = ++this.#lastId
    const ended = this.#native.output(id, request, limits)
    if (ended) process.nextTick(() => this.#deliver(bare(ended)))
    return this.#expect(id, listener)
  }

  /** Starts, captures and reaps on this thread. */
  outputSync(request: Request, limits: Limits): Ending {
    return this.#native.outputSync(request, limits)
  }

  /** Ends a run of output(). */
  abort({ id }: Hold): void {
    this.#native.abort(id)
  }

  /** Ends a run of output() that has waited for its turn to start until its time was over; after that Rust has the time. */
  expire({ id }: Hold): void {
    this.#native.expire(id)
  }

  #expect(id: number, listener: Listener): Hold {
    const hold = new HeldRun(id, (by) => this.#count(by))
    // Endings come from a callback that belongs to nobody: AsyncLocalStorage would be lost without this.
    const resource = new AsyncResource('COMMANDROOT', { requireManualDestroy: true })
    this.#waiting.set(id, { hold, resource, listener })
    return hold
  }

  #deliver(ending: Ending): void {
    const waiting = this.#forget(ending.id)
    if (!waiting) return
    try {
      waiting.resource.runInAsyncScope(waiting.listener, null, ending)
    } catch (error) {
      // An uncaughtException of its own: the endings after this one are not its fault.
      process.nextTick(() => {
        throw error
      })
    } finally {
      waiting.resource.emitDestroy()
    }
  }

  #forget(id: number): { resource: AsyncResource; listener: Listener } | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.hold.end()
    return waiting
  }

  #count(by: 1 | -1): void {
    const before = this.#referenced
    this.#referenced += by
    if (before === 0) this.#native.ref()
    else if (this.#referenced === 0) this.#native.unref()
  }
}

class HeldRun implements Hold {
  readonly id: number
  readonly #count: (by: 1 | -1) => void
  #state: 'referenced' | 'unreferenced' | 'ended' = 'referenced'

  constructor(id: number, count: (by: 1 | -1) => void) {
    this.id = id
    this.#count = count
    count(1)
  }

  ref(): void {
    if (this.#state !== 'unreferenced') return
    this.#state = 'referenced'
    this.#count(1)
  }

  unref(): void {
    if (this.#state !== 'referenced') return
    this.#state = 'unreferenced'
    this.#count(-1)
  }

  end(): void {
    this.unref()
    this.#state = 'ended'
  }
}

let shared: Engine | undefined

/** Made when something is first started, so that an import costs nothing. */
export function engine(): Engine {
  shared ??= new Engine()
  return shared
}
