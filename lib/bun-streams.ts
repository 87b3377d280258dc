/**
 * The streams of a child in Bun, whose net.Socket takes no descriptor: for pipes Bun's own readers and writers of files,
 * which wait in its event loop and leave the descriptor to us; for what goes both ways a socket, by connect().
 */
import { closeSync } from 'node:fs'
import { Socket, type SocketConnectOpts } from 'node:net'
import { Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'

interface Sink {
  write(chunk: Uint8Array): unknown
  /** Throws, or rejects, with what the writing failed with. */
  flush(): unknown
  end(): unknown
  ref(): void
  unref(): void
}

interface Bun {
  file(fd: number): { stream(): ReadableStream<Uint8Array>; writer(): Sink }
}

const { Bun: bun } = globalThis as { Bun?: Bun }

/** Our end of the child's descriptor `index`, as net.Socket has it in Node; undefined where this is not Bun. */
export function bunStream(fd: number, index: number): Socket | undefined {
  if (!bun) return undefined
  if (index > 2) return new Socket().connect({ fd } as unknown as SocketConnectOpts)
  return (index === 0 ? new PipeWriter(bun, fd) : pipeReader(bun, fd)) as unknown as Socket
}

function pipeReader({ file }: Bun, fd: number): Readable {
  const stream = Readable.fromWeb(file(fd).stream())
  const push = stream.push.bind(stream)
  const counted = Object.assign(stream, { bytesRead: 0 })
  counted.push = (chunk: Uint8Array | null, encoding) => {
    counted.bytesRead += chunk?.length ?? 0
    return push(chunk, encoding)
  }
  return counted.once('close', () => closeSync(fd))
}

/** How much is given away at once: of what is destroyed meanwhile, no more than this is written all the same. */
const PIECE_BYTES = 64 * 1024

class PipeWriter extends Writable {
  readonly #fd: number
  readonly #sink: Sink
  #writing: Promise<unknown> = Promise.resolve()

  constructor({ file }: Bun, fd: number) {
    super()
    this.#fd = fd
    this.#sink = file(fd).writer()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writing = this.#writeAll(chunk)
    this.#writing.then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // What the sink still writes goes to this descriptor, which must not be another one's by then.
    void this.#writing.catch(() => undefined).then(() => this.#close())
    done(error)
  }

  ref(): this {
    this.#sink.ref()
    return this
  }

  unref(): this {
    this.#sink.unref()
    return this
  }

  async #writeAll(chunk: Buffer): Promise<void> {
    for (let start = 0; start < chunk.length && !this.destroyed; start += PIECE_BYTES) {
      this.#sink.write(chunk.subarray(start, start + PIECE_BYTES))
      await this.#sink.flush()
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#sink.end()
    } catch {
      // The reader has gone, as the last write has told.
    }
    closeSync(this.#fd)
  }
}
