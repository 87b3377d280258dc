/**
 * What other runtimes than Node do otherwise with the streams of a child.
 *
 * Bun's net.Socket takes no descriptor: for pipes there are Bun's own readers and writers of files, which wait in its
 * event loop and leave the descriptor to the Rust half; for what goes both ways a socket, by connect().
 *
 * Deno leaves a worker's pipes open, its own children's too, when that is terminated.
 */
import { Socket, type SocketConnectOpts } from 'node:net'
import { Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { binding } from './binding.ts'

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
  const pipe = binding.holdPipe(fd)
  const stream = Readable.fromWeb(file(fd).stream())
  const push = stream.push.bind(stream)
  const counted = Object.assign(stream, { bytesRead: 0 })
  counted.push = (chunk: Uint8Array | null, encoding) => {
    counted.bytesRead += chunk?.length ?? 0
    return push(chunk, encoding)
  }
  return counted.once('close', () => binding.letGoPipe(pipe))
}

/** Deno: whatever it does about it, the descriptor is closed when this environment ends. */
export function closedWithWorker(socket: Socket, fd: number): Socket {
  if (!('deno' in process.versions)) return socket
  const pipe = binding.lendPipe(fd)
  return socket.once('close', () => binding.forgetPipe(pipe))
}

/** How much is given away at once: of what is destroyed meanwhile, no more than this is written all the same. */
const PIECE_BYTES = 64 * 1024

class PipeWriter extends Writable {
  readonly #pipe: number
  readonly #sink: Sink
  #writing: Promise<unknown> = Promise.resolve()

  constructor({ file }: Bun, fd: number) {
    super()
    this.#pipe = binding.holdPipe(fd)
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
    binding.letGoPipe(this.#pipe)
  }
}
