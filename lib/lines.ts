/** lines(): a program's standard output line by line, while it runs. */

import { Buffer } from 'node:buffer'
import { addAbortListener } from 'node:events'
import { invalidValue } from './argument-errors.ts'
import { type ChildStart, spawnChild } from './child.ts'
import { resourceUsageOf } from './ending.ts'
import { AbortError, CommandRootError, exitErrorOf, failureError } from './errors.ts'
import type { Plan } from './options.ts'
import { closeStreams } from './streams.ts'
import type { Child, CommandOutput, CommandStatus } from './types.ts'
import { MAX_INT32 } from './validate.ts'

/** How a run of lines() ended. */
export type LinesStatus = CommandStatus & { timedOut: boolean }
type AnyOutput = CommandOutput<string | Buffer>

/** How much of stderr is kept for the error. */
const KEPT_BYTES = 64 * 1024
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** In which a line feed is one byte, and that byte nothing else. */
const ENCODINGS: ReadonlySet<BufferEncoding> = new Set(['utf8', 'utf-8', 'latin1', 'binary', 'ascii'])

/** Throws for what lines() cannot give. */
export function checkLines({ encoding }: Plan): void {
  if (encoding === undefined || ENCODINGS.has(encoding.toLowerCase() as BufferEncoding)) return
  throw invalidValue('options.encoding', "must be 'utf8' or 'latin1' for lines(), which gives text", encoding)
}

/** Starts the program when the first line is asked for. Leaving the loop early ends it, and waits until it is reaped. */
export async function* readLines(start: () => ChildStart, plan: Plan): AsyncGenerator<string, LinesStatus, void> {
  if (plan.signal?.aborted) throw new AbortError(plan.signal.reason)
  const child = spawnChild({ ...start(), failWith: failureError })
  const run = new LinesRun(child, plan)
  try {
    yield* run.lines()
    return await run.end()
  } finally {
    run.letGo()
    await child[Symbol.asyncDispose]()
  }
}

class LinesRun {
  readonly #began = performance.now()
  readonly #child: Child
  readonly #plan: Plan
  readonly #closed: Promise<unknown>
  readonly #timer: NodeJS.Timeout | undefined
  readonly #listening: Disposable | undefined
  #exited = false
  #aborted = false
  #timedOut = false
  /** What it is ended for, beside those two. */
  #failure: ((output: AnyOutput) => CommandRootError) | undefined
  #stderr: Buffer = Buffer.alloc(0)

  constructor(child: Child, plan: Plan) {
    this.#child = child
    this.#plan = plan
    this.#closed = new Promise((resolve) => child.once('close', resolve))
    child.on('error', () => undefined) // an abort, which is seen below
    child.once('exit', () => {
      this.#exited = true
      this.#closeHeld()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-KEPT_BYTES)
    })
    // EPIPE: it need not read what it is given.
    child.stdin?.on('error', () => undefined).end(plan.input)
    if (plan.timeout > 0) this.#timer = setTimeout(() => this.#expire(), Math.min(plan.timeout, MAX_INT32))
    if (plan.signal) this.#listening = addAbortListener(plan.signal, () => this.#abort())
  }

  letGo(): void {
    clearTimeout(this.#timer)
    this.#listening?.[Symbol.dispose]()
  }

  async *lines(): AsyncGenerator<string, void, void> {
    const { stdout } = this.#child
    const splitter = new Splitter(this.#plan)
    try {
      for await (const chunk of stdout ?? []) {
        for (const line of splitter.push(chunk as Buffer)) yield this.#text(line)
        if (splitter.overflowed) return this.#stop(overflow(this.#child.spawnfile))
      }
    } catch (error) {
      if (error === stdout?.errored) return this.#stop(unreadable(error, this.#child.spawnfile))
      // We have closed it, since somebody else still held it open.
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error
    }
    const last = splitter.rest()
    if (last) yield this.#text(last)
  }

  /** Waits for the end of all of it. */
  async end(): Promise<LinesStatus> {
    await this.#closed
    let lost: object | undefined
    const { code, signal } = await this.#child.status.catch((error: object) => {
      lost = error
      return { code: null, signal: null }
    })
    const status = { code, signal, success: code === 0 && !this.#timedOut }
    const output = this.#output(status)
    if (this.#aborted) throw new AbortError(this.#plan.signal?.reason, output)
    if (this.#failure) throw this.#failure(output)
    if (lost) throw Object.assign(lost, { output })
    if (this.#plan.check && !status.success) throw exitErrorOf(output, this.#stderr, this.#child.spawnfile, this.#plan)
    return { ...status, timedOut: this.#timedOut }
  }

  /** As an abort does. */
  #stop(failure: (output: AnyOutput) => CommandRootError): void {
    this.#failure = failure
    this.#child.kill(this.#plan.killSignal)
    this.#closeHeld()
  }

  // At these two the child itself is ended by what spawn() does; here it is about the pipes that others may hold.

  #expire(): void {
    this.#timedOut = true
    this.#closeHeld()
  }

  #abort(): void {
    this.#aborted = true
    this.#closeHeld()
  }

  /** As output(): who was ended by us is not waited for beyond its own end, unless waitDelay says so. */
  #closeHeld(): void {
    const wasEnded = this.#aborted || this.#timedOut || this.#failure
    if (this.#exited && wasEnded && this.#plan.waitDelay === undefined) closeStreams(this.#child)
  }

  #text(line: Buffer): string {
    return line.toString(this.#plan.encoding ?? 'utf8')
  }

  /** The lines have been given away; what is left to show is stderr. */
  #output(status: CommandStatus): AnyOutput {
    const { encoding } = this.#plan
    const resourceUsage = this.#child.resourceUsage() ?? resourceUsageOf(undefined)
    const [stdout, stderr] = encoding ? ['', this.#stderr.toString(encoding)] : [Buffer.alloc(0), this.#stderr]
    return {
      ...status,
      pid: this.#child.pid ?? 0,
      stdout,
      stderr,
      timedOut: this.#timedOut,
      truncated: true,
      durationMs: performance.now() - this.#began,
      resourceUsage,
    }
  }
}

/** A line is longer than maxBuffer. */
function overflow(path: string) {
  const code = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
  return (output: AnyOutput) =>
    new CommandRootError('stdout maxBuffer length exceeded by one line', { code, path, output })
}

/** Standard output cannot be read on. */
function unreadable(error: unknown, path: string) {
  const { errno = 0 } = error as { errno?: number }
  return (output: AnyOutput) => failureError({ errno: -errno, step: 'wait', syscall: 'read' }, path, output)
}

/** Cuts chunks into lines: at \n, a \r before it cut. A line is bounded by maxBuffer. */
class Splitter {
  overflowed = false
  readonly #limit: number
  readonly #discard: boolean
  #parts: Buffer[] = []
  #length = 0

  constructor({ maxBuffer, discard }: Plan) {
    this.#limit = maxBuffer
    this.#discard = discard
  }

  *push(chunk: Buffer): Generator<Buffer, void, void> {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end))
      start = end + 1
      if (this.overflowed) return
      yield withoutReturn(this.#take())
    }
    this.#keep(chunk.subarray(start))
  }

  /** A last line without \n, if there is one. */
  rest(): Buffer | undefined {
    return this.#length > 0 ? this.#take() : undefined
  }

  #keep(part: Buffer): void {
    const kept = part.subarray(0, Math.max(0, this.#limit - this.#length))
    if (kept.length < part.length && !this.#discard) this.overflowed = true
    if (kept.length === 0) return
    this.#parts.push(kept)
    this.#length += kept.length
  }

  #take(): Buffer {
    const [only] = this.#parts
    const line = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return line
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line
}
