/** lines(): a program's standard output line by line, while it runs. */

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { invalidValue } from './argument-errors.ts'
import { type ChildStart, hasTimedOut, spawnChild } from './child.ts'
import { AbortError, CommandRootError, exitErrorOf } from './errors.ts'
import type { Plan } from './options.ts'
import type { Child, CommandOutput, CommandStatus } from './types.ts'

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
  const began = performance.now()
  const child = spawnChild(start())
  const run = new LinesRun(child, plan)
  try {
    await run.started
    yield* run.lines()
    return await run.end(began)
  } finally {
    await child[Symbol.asyncDispose]()
  }
}

class LinesRun {
  /** Rejects with what the start failed with. */
  readonly started: Promise<unknown>
  readonly #child: Child
  readonly #plan: Plan
  readonly #closed: Promise<unknown>
  #error: Error | undefined
  #stderr: Buffer = Buffer.alloc(0)

  constructor(child: Child, plan: Plan) {
    this.#child = child
    this.#plan = plan
    this.started = once(child, 'spawn')
    this.#closed = new Promise((resolve) => child.once('close', resolve))
    // An abort; what the start failed with is in `started` already.
    child.on('error', (error) => {
      this.#error = error
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-KEPT_BYTES)
    })
    // EPIPE: it need not read what it is given.
    child.stdin?.on('error', () => undefined).end(plan.input)
  }

  async *lines(): AsyncGenerator<string, void, void> {
    const splitter = new Splitter(this.#plan)
    for await (const chunk of this.#child.stdout ?? []) {
      for (const line of splitter.push(chunk as Buffer)) yield this.#text(line)
      if (splitter.overflowed) throw this.#overflow()
    }
    const last = splitter.rest()
    if (last) yield this.#text(last)
  }

  /** Waits for the end of all of it. */
  async end(began: number): Promise<LinesStatus> {
    await this.#closed
    if (this.#error) throw this.#error
    const status = await this.#child.status
    const timedOut = hasTimedOut(this.#child)
    const output = this.#output(status, timedOut, performance.now() - began)
    if (this.#plan.check && !status.success) throw exitErrorOf(output, this.#stderr, this.#child.spawnfile, this.#plan)
    return { ...status, timedOut }
  }

  #text(line: Buffer): string {
    return line.toString(this.#plan.encoding ?? 'utf8')
  }

  #overflow(): CommandRootError {
    const code = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
    return new CommandRootError('stdout maxBuffer length exceeded by one line', { code, path: this.#child.spawnfile })
  }

  /** The lines have been given away; what is left to show is stderr. */
  #output(status: CommandStatus, timedOut: boolean, durationMs: number): CommandOutput<string | Buffer> {
    const { encoding } = this.#plan
    const resourceUsage = this.#child.resourceUsage() ?? process.resourceUsage()
    const [stdout, stderr] = encoding ? ['', this.#stderr.toString(encoding)] : [Buffer.alloc(0), this.#stderr]
    return {
      ...status,
      pid: this.#child.pid ?? 0,
      stdout,
      stderr,
      timedOut,
      truncated: true,
      durationMs,
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
