/**
 * stdio: child_process's forms, and 'stdout'. From what the caller gave to what the Rust half takes, and from the
 * descriptors it gives back to sockets.
 */
import { Socket } from 'node:net'
import { invalidValue } from './argument-errors.ts'
import { bunStream, closedWithWorker } from './runtimes.ts'
import type { Stdio, StdioSource } from './types.ts'
import { MAX_INT32 } from './validate.ts'

/** What the child has at one index: a pipe to us, /dev/null, the same as its index 1, or our descriptor of that number. */
export type Slot = 'pipe' | 'ignore' | 'stdout' | number

const WHOLE = ['pipe', 'overlapped', 'ignore', 'inherit'] as const

/** A frozen copy, every form checked; descriptors are looked at again at the start. */
export function checkStdio(value: unknown, name: string): Stdio {
  const whole = WHOLE.find((form) => form === value)
  if (whole) return whole
  if (typeof value === 'string') throw invalidValue(name, `must be an array or one of: ${WHOLE.join(', ')}`, value)
  if (!Array.isArray(value)) throw invalidValue(name, 'must be a string or an array', value)
  const sources = Array.from(value as StdioSource[])
  sources.forEach((source, i) => {
    slotOf(source, i, 'pipe', name)
  })
  return Object.freeze(sources)
}

/** One slot for each of the child's descriptors, at least three. `stdin`: what index 0 is where nothing is said. */
export function slotsOf(stdio: Stdio | undefined, stdin: 'pipe' | 'ignore'): Slot[] {
  return sourcesOf(stdio).map((source, i) =>
    slotOf(source, i, i === 0 ? stdin : i < 3 ? 'pipe' : 'ignore', 'options.stdio'),
  )
}

function sourcesOf(stdio: Stdio | undefined): readonly StdioSource[] {
  if (stdio === undefined) return [undefined, undefined, undefined]
  if (typeof stdio === 'string') return [stdio, stdio, stdio]
  return Array.from({ length: Math.max(3, stdio.length) }, (_, i) => stdio[i])
}

function slotOf(source: StdioSource, index: number, fallback: Slot, name: string): Slot {
  if (source === null || source === undefined) return fallback
  if (source === 'ignore') return 'ignore'
  if (source === 'pipe' || source === 'overlapped') return 'pipe'
  if (source === 'inherit') return index
  if (source === 'stdout' && index >= 2) return 'stdout'
  if (typeof source === 'number' && source < 0 && Number.isInteger(source)) return 'pipe'
  const fd = typeof source === 'number' ? source : descriptorOf(source)
  if (fd !== undefined && Number.isInteger(fd) && fd <= MAX_INT32 && fd >= -MAX_INT32) return fd
  throw invalidValue(`${name}[${index}]`, problemWith(source), source)
}

function problemWith(source: unknown): string {
  if (source === 'ipc') return 'asks for an IPC channel, which is not to be had here'
  if (source === 'stdout') return "can be 'stdout' from index 2 on only"
  return 'is no form of stdio, and no stream or object with a descriptor'
}

/** Node's order: a numeric `fd` of its own first, then the handle below a stream. */
function descriptorOf(source: unknown): number | undefined {
  if (typeof source !== 'object' || source === null) return undefined
  const fd: unknown = Reflect.get(source, 'fd')
  if (typeof fd === 'number') return fd
  const below: unknown = handleOf(source)?.fd
  return typeof below === 'number' ? below : undefined
}

interface Handle {
  fd?: unknown
  reading?: boolean
  readStop?: () => void
}

function handleOf(source: object): Handle | undefined {
  for (const key of ['handle', '_handle']) {
    const handle: unknown = Reflect.get(source, key)
    if (typeof handle === 'object' && handle !== null) return handle
  }
  return undefined
}

/** What Node itself resets on a stream that it hands over. */
interface HandedOver {
  pause?: () => void
  readable?: boolean
  readableFlowing?: boolean | null
  _readableState?: { reading?: boolean }
}

/**
 * The child reads on from here: a stream that was handed over is not read in this process any more, or the two would
 * take the data from each other.
 */
export function handOver(stdio: Stdio | undefined): void {
  for (const source of sourcesOf(stdio)) {
    if (typeof source !== 'object' || source === null || typeof Reflect.get(source, 'fd') === 'number') continue
    const handle = handleOf(source)
    if (handle) stopReading(source as HandedOver, handle)
  }
}

function stopReading(stream: HandedOver, handle: Handle): void {
  handle.reading = false
  handle.readStop?.()
  stream.pause?.()
  stream.readableFlowing = false
  if (stream._readableState) stream._readableState.reading = false
  // The output of another child, Node's or ours, is read to its end when that child exits, unless it is not readable.
  stream.readable = false
}

/** Sockets on our ends of the pipes, by index; null where there is none. They own the descriptors from here on. */
export function connect(fds: readonly number[], slots: readonly Slot[]): (Socket | null)[] {
  return slots.map((_, i) => {
    const fd = fds[i] ?? -1
    return fd < 0 ? null : (bunStream(fd, i) ?? closedWithWorker(new Socket({ fd, ...directionOf(i) }), fd))
  })
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

/** As in Node, which has socketpairs: what is read says of itself that it can be written, though 1 and 2 go one way. */
function directionOf(index: number): { readable: boolean; writable: boolean } {
  return { readable: index > 0, writable: true }
}
