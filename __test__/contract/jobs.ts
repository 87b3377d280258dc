// Six jobs of real users: this file is only type-checked (tsconfig.test.json, and tsconfig.contract.json as users have
// it, by two compilers), which keeps the package's own typings as users need them.

import type cp from 'node:child_process'
import type { SpawnOptions } from 'node:child_process'
import fs from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import {
  type AbortError,
  AT_EMPTY_PATH,
  type Child,
  type Command,
  type CommandOptions,
  type CommandOutput,
  CommandRootError,
  commandFd,
  commandRoot,
  type Executable,
  ExitError,
  forkExec,
  openRoot,
  type ProcessState,
  probe,
  type Root,
} from 'command-root'

// (a)
export async function tool(toolchain: Root, workspace: Root, signal: AbortSignal): Promise<CommandOutput<string>> {
  const attributes = probe().attributes.includes('pdeathsig') ? { pdeathsig: 'SIGKILL' as const } : {}
  try {
    return await commandRoot(toolchain, 'bin/git', ['status'], {
      ...attributes,
      cwd: workspace,
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'stdout'],
      timeout: 30_000,
      killScope: 'group',
      forceKillAfter: 2_000,
      waitDelay: 2_000,
      maxBuffer: 1 << 20,
      overflow: 'discard',
      encoding: 'utf8',
      signal,
    }).output()
  } catch (error) {
    const stopped = error as AbortError
    if (stopped.code === 'ABORT_ERR' && stopped.output) return stopped.output as CommandOutput<string>
    throw error
  }
}

// (b)
export async function contained(rootfs: string, name: string, uid: number): Promise<CommandOutput> {
  using root = openRoot(rootfs, { resolve: 'in-root' })
  try {
    return await commandRoot(root, name, [], {
      chroot: root,
      cwd: { root, path: '/' },
      uid,
      gid: uid,
      noNewPrivs: true,
      rlimits: { nofile: 256, core: 0 },
      env: {},
      scripts: 'root',
    }).output()
  } catch (error) {
    if (error instanceof CommandRootError && error.step === 'setuid')
      throw new Error(`not allowed to become ${uid}`, { cause: error })
    // @ts-expect-error a misspelt step does not compile
    if (error instanceof CommandRootError && error.step === 'set_uid') throw error
    throw error
  }
}

// (c)
export async function step(
  tools: Root,
  name: string,
  args: readonly string[],
  prefix: string,
): Promise<ProcessState['resourceUsage'] | undefined> {
  const child = commandRoot(tools, name, args, {
    stdio: ['ignore', 'pipe', 'stdout'],
    scripts: 'kernel',
    killScope: 'group',
  }).spawn()
  child.stdout.setEncoding('utf8').on('data', (text: string) => process.stdout.write(prefix + text)) // no `!`
  await child.status
  return child.resourceUsage()
}

export async function lines(command: Command<string>, prefix: string): Promise<void> {
  for await (const line of command.lines()) process.stdout.write(`${prefix} | ${line}\n`)
}

// (d)
export async function plugin(program: Executable, request: object): Promise<unknown> {
  try {
    const { stdout } = await commandFd(program, [], {
      input: JSON.stringify(request),
      encoding: 'utf8',
      env: {},
      check: true,
    }).output()
    return JSON.parse(stdout)
  } catch (error) {
    if (error instanceof ExitError)
      throw new Error(`plugin ended with ${error.output.code}: ${error.output.stderr}`, { cause: error })
    throw error
  }
}

// (e)
const root = openRoot('/', { resolve: 'in-root' })
export function spawn(file: string, args: readonly string[], { shell, stdio, uid, ...rest }: SpawnOptions): Child {
  if (shell) throw new Error('no shell here')
  void [stdio, uid]
  const options: CommandOptions = { ...rest, shell: false, argv0: rest.argv0 ?? file }
  return commandRoot(root, file, args, options).spawn()
}
commandRoot(root, 'usr/bin/git', ['status'], { stdio: 'inherit', shell: false, windowsHide: true })
declare const maybe: { timeout?: number | undefined; signal?: AbortSignal | undefined }
commandRoot(root, 'x', [], { timeout: maybe.timeout, signal: maybe.signal }) // under exactOptionalPropertyTypes

// narrowing, as @types/node does it
const all = commandRoot(root, 'x').spawn()
all.stdin.end('x')
all.stdout.on('data', () => {})
all.stderr.resume()
const some = commandRoot(root, 'x', [], { stdio: ['ignore', 'pipe', 'inherit'] }).spawn()
const none: null = some.stdin
const out: Readable = some.stdout
const noErr: null = some.stderr
const short = commandRoot(root, 'x', [], { stdio: ['ignore'] }).spawn()
const shortOut: Readable = short.stdout
const merged = commandRoot(root, 'x', [], { stdio: ['pipe', 'pipe', 'stdout'] }).spawn()
const mergedErr: null = merged.stderr
const quiet: null = commandRoot(root, 'x', [], { stdio: 'ignore' }).spawn().stdout
declare const unknown: CommandOptions
const wide = commandRoot(root, 'x', [], unknown)
const wideIn: Writable | null = wide.spawn().stdin
const wideOut: Promise<CommandOutput<string | Buffer>> = wide.output()
const bytes: Promise<CommandOutput<Buffer>> = commandRoot(root, 'x').output()
const text: Promise<CommandOutput<string>> = commandRoot(root, 'x', [], { encoding: 'latin1', timeout: 1 }).output()
const asPlain: Command = commandRoot(root, 'x', [], { stdio: 'ignore' })
const asNode: cp.ChildProcess = all
// @ts-expect-error a security option misspelt, beside one that is right
commandRoot(root, 'x', [], { timeout: 5, noNewPriv: true })
// @ts-expect-error no ipc
commandRoot(root, 'x', [], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] })
// @ts-expect-error no such form
commandRoot(root, 'x', [], { stdio: ['pipe', 'pipe', 'stderr'] })
// @ts-expect-error may be null
wide.spawn().stdout.on('data', () => {})

// (f)
export async function seed(): Promise<ProcessState> {
  const fd = fs.openSync('/usr/bin/true', 'r')
  try {
    return await forkExec('', ['true'], { at: true, dirFd: fd, atFlags: AT_EMPTY_PATH }).wait()
  } finally {
    fs.closeSync(fd)
  }
}
forkExec('bin/true', ['true'], { dirFd: root })
root.startProcess('bin/npm', ['npm'], { scripts: 'kernel' })
void [none, out, noErr, shortOut, mergedErr, quiet, wideIn, wideOut, bytes, text, asPlain, asNode]
