// The same thing done by node:child_process and by this package, so that what Node does is never remembered.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { type CommandOptions, commandRoot, openRoot } from 'command-root'
import { programs, reporter } from './programs.ts'
import { scratch } from './system.ts'

export type Options = Omit<SpawnOptions, 'stdio' | 'shell'> & { stdio?: CommandOptions['stdio'] }
export type Start = (args?: readonly string[], options?: Options, program?: string) => ChildProcess

const root = openRoot(programs)

/** Both start a program by its name in the directory of the test programs. */
export const ways: { node: Start; ours: Start } = {
  node: (args = [], options = {}, program = reporter) => spawn(program, args, options as SpawnOptions),
  ours: (args = [], options = {}, program = reporter) => {
    if (program === reporter) return commandRoot(root, 'reporter', args, options as CommandOptions).spawn()
    let directory = path.dirname(program)
    while (!existsSync(directory)) directory = path.dirname(directory)
    return commandRoot(openRoot(directory), path.relative(directory, program), args, options as CommandOptions).spawn()
  },
}

/**
 * The parts of an error that are Node's, with the program's place left out. The name and message of a failed start
 * too: ours say more.
 */
export function plain(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno, syscall, path: file, spawnargs, cause } = error as Error & Record<string, unknown>
  const bare = (value: unknown) => (typeof value === 'string' ? value.replaceAll(/(?:[^\s/]*\/)+/g, '') : value)
  return {
    name: typeof syscall === 'string' ? undefined : error.name,
    message: typeof syscall === 'string' ? undefined : bare(error.message),
    code,
    errno,
    syscall: bare(syscall),
    path: bare(file),
    spawnargs,
    ...(cause === undefined ? {} : { cause: plain(cause) }),
  }
}

/** A listener's arguments in a form that two runs can share. */
export type Event = [name: string, ...args: unknown[]]

/** Every event that the child emits from now on, to its 'close'. */
export function events(child: ChildProcess): Promise<Event[]> {
  const seen: Event[] = []
  const { emit } = child
  return new Promise((resolve) => {
    child.emit = ((name: string, ...args: unknown[]) => {
      seen.push([name, ...args.map(plain)])
      // An 'error' without listeners would be thrown.
      const result = name === 'error' ? true : Reflect.apply(emit, child, [name, ...args])
      if (name === 'close') resolve(seen)
      return result
    }) as typeof emit
    child.stdout?.resume()
    child.stderr?.resume()
  })
}

export async function text(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

/** What is thrown, or undefined. */
export function thrown(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

/** A child's public state. */
export const state = (child: ChildProcess) => ({
  hasPid: typeof child.pid === 'number',
  exitCode: child.exitCode,
  signalCode: child.signalCode,
  killed: child.killed,
  connected: child.connected,
  stdin: child.stdin && { destroyed: child.stdin.destroyed, writable: child.stdin.writable },
  stdout: child.stdout && { destroyed: child.stdout.destroyed, ...directions(child.stdout) },
  stderr: child.stderr && { destroyed: child.stderr.destroyed, ...directions(child.stderr) },
  stdio: child.stdio?.map((stream) => stream !== null),
})

/** Node's are sockets, whatever their type says. */
function directions(stream: Readable): object {
  const { readable, writable, readyState } = stream as Readable & { writable?: boolean; readyState?: string }
  return { readable, writable, readyState }
}

/**
 * What the child and its streams emit, to the end of all of it: 'close' of the streams apart, which comes by itself.
 */
export async function streamEvents(child: ChildProcess): Promise<{ order: string[]; closed: string[] }> {
  const [order, closed]: [string[], string[]] = [[], []]
  for (const [name, emitter] of [['child', child], ...child.stdio.entries()] as const) {
    if (!emitter) continue
    for (const event of ['spawn', 'error', 'exit', 'resume', 'end', 'prefinish', 'finish'])
      emitter.on(event, () => order.push(`${name} ${event}`))
    emitter.on('close', (...how: unknown[]) => closed.push(`${name} close ${JSON.stringify(how)}`))
  }
  await new Promise((resolve) => child.on('close', resolve))
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { order, closed: closed.sort() }
}

/** Does the same with both and compares what comes of it. */
export async function same(t: ExecutionContext, act: (start: Start) => unknown, about?: string): Promise<void> {
  const nodes = await act(ways.node)
  const ours = await act(ways.ours)
  t.deepEqual(ours, nodes, about)
}

/** The events of a child and its state after them. */
export async function life(child: ChildProcess): Promise<unknown> {
  const seen = await events(child)
  return { seen, state: state(child) }
}

/** Where there is nothing. */
export const missing = (t: ExecutionContext) => path.join(scratch(t), 'missing')
