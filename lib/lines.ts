/** lines(): a program's standard output line by line, while it runs. */

import { Buffer } from 'node:buffer'
import { addAbortListener, once } from 'node:events'
import { invalidValue } from './argument-errors.ts'
import { type ChildStart, closeStreams, spawnChild } from './child.ts'
import { resourceUsageOf } from './ending.ts'
import { AbortError, CommandRootError, exitErrorOf } from './errors.ts'
import type { Plan } from './options.ts'
import type { Child, CommandOutput, CommandStatus } from './types.ts'
import { MAX_INT32 } from './validate.ts'

/** How a run of lines() ended. */
export type LinesStatus = CommandStatus & { timedOut: boolean }

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
  const child = spawnChild(start())
  const run = new LinesRun(child, plan)
  try {
    await run.started
    yield* run.lines()
    return await run.end()
  } finally {
    run.letGo()
    await child[Symbol.asyncDispose]()
  }
}

class LinesRun {
  /** Rejects with what the start failed with. */
  readonly started: Promise<unknown>
  readonly #began = performance.now()
  readonly #child: Child
  readonly #plan: Plan
  readonly #closed: Promise<unknown>
  readonly #timer: NodeJS.Timeout | undefined
  readonly #listening: Disposable | undefined
  #aborted = false
  #timedOut = false
  #stderr: Buffer = Buffer.alloc(0)

  constructor(child: Child, plan: Plan) {
    this.#child = child
    this.#plan = plan
    this.started = once(child, 'spawn')
    this.#closed = new Promise((resolve) => child.once('close', resolve))
    child.on('error', () => undefined) // an abort, which is seen below, or what `started` rejects with
    child.once('exit', () => this.#closeHeld())
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
    const splitter = new Splitter(this.#plan)
    try {
      for await (const chunk of this.#child.stdout ?? []) {
        for (const line of splitter.push(chunk as Buffer)) yield this.#text(line)
        if (splitter.overflowed) throw this.#overflow()
      }
    } catch (error) {
      // We have closed it, since somebody else still held it open.
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error
    }
    const last = splitter.rest()
    if (last) yield this.#text(last)
  }

  /** Waits for the end of all of it. */
  async end(): Promise<LinesStatus> {
    await this.#closed
    const { code, signal } = await this.#child.status
    const status = { code, signal, success: code === 0 && !this.#timedOut }
    const output = this.#output(status)
    if (this.#aborted) throw new AbortError(this.#plan.signal?.reason, output)
    if (this.#plan.check && !status.success) throw exitErrorOf(output, this.#stderr, this.#child.spawnfile, this.#plan)
    return { ...status, timedOut: this.#timedOut }
  }

  // The child itself is ended by what spawn() does at both; here it is about the pipes that others may hold.

  #expire(): void {
    this.#timedOut = true
    this.#closeHeld()
  }

  #abort(): void {
    this.#aborted = true
    this.#closeHeld()
  }

  /** As output(): after an abort or its time nobody is waited for, unless waitDelay says so. */
  #closeHeld(): void {
    const { exitCode, signalCode } = this.#child
    const isOver = exitCode !== null || signalCode !== null
    if (isOver && (this.#aborted || this.#timedOut) && this.#plan.waitDelay === undefined) closeStreams(this.#child)
  }

  #text(line: Buffer): string {
    return line.toString(this.#plan.encoding ?? 'utf8')
  }

  #overflow(): CommandRootError {
    const code = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
    return new CommandRootError('stdout maxBuffer length exceeded by one line', { code, path: this.#child.spawnfile })
  }

  /** The lines have been given away; what is left to show is stderr. */
  #output(status: CommandStatus): CommandOutput<string | Buffer> {
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
