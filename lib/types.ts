/** The shapes that callers see: options, results, what a started child is. No code, and nothing of how it is done. */
import type { ChildProcess } from 'node:child_process'
import type { Readable, Stream, Writable } from 'node:stream'
import type { Root } from './root.ts'

/** How names are resolved under a Root. One that is opened beneath another inherits what is not named. */
export interface RootOptions {
  /**
   * 'beneath' (default): an absolute name, an absolute symlink or a `..` that leaves the root is an error.
   * 'in-root': they are resolved as if the root were `/`, and nothing leads out.
   */
  resolve?: 'beneath' | 'in-root' | undefined
  /** 'follow' (default), or 'deny': a symlink in any component is ELOOP. */
  symlinks?: 'follow' | 'deny' | undefined
  /** Whether a name may lead onto another mount, else EXDEV. Default true. */
  crossMounts?: boolean | undefined
}

export interface ExecutableOptions {
  /** Copy the program into a sealed anonymous file first; with `sha256` (hex) refuse any other content. Default false. */
  seal?: boolean | { sha256: string } | undefined
}

/** What `encoding` takes: 'buffer' (default) leaves bytes, any other decodes them. */
export type Encoding = BufferEncoding | 'buffer'

/** What stdout and stderr are under an encoding. */
export type Output<E> = E extends BufferEncoding ? string : Buffer

/** child_process's forms without 'ipc'; 'stdout' (index >= 2): a duplicate of the child's own descriptor 1, `2>&1`. */
export type StdioSource =
  | 'pipe'
  | 'overlapped'
  | 'ignore'
  | 'inherit'
  | 'stdout'
  | number
  | Stream
  | { readonly fd: number }
  | null
  | undefined

/** One form for descriptors 0 to 2, or one for each of the child's descriptors. */
export type Stdio = 'pipe' | 'overlapped' | 'ignore' | 'inherit' | readonly StdioSource[]

type At<S, I extends string> = S extends readonly unknown[]
  ? number extends S['length']
    ? StdioSource
    : I extends keyof S
      ? S[I]
      : undefined
  : S

type Flow<X, T> = X extends 'pipe' | 'overlapped' | null | undefined ? T : null

/** A Child whose streams are there exactly where `stdio` pipes them. */
export type ChildBy<S> = Child & {
  stdin: Flow<At<S, '0'>, Writable>
  stdout: Flow<At<S, '1'>, Readable>
  stderr: Flow<At<S, '2'>, Readable>
}

export interface CommandOptions<
  S extends Stdio | undefined = Stdio | undefined,
  E extends Encoding | undefined = Encoding | undefined,
> extends ProcessAttributes {
  /** Where the child starts. A string or URL is relative to this process, never to the command's root. */
  cwd?: string | URL | Root | { root: Root; path: string } | undefined
  /** The whole environment of the child; nothing is added. Default: process.env as it is at the start. */
  env?: Record<string, string | undefined> | undefined
  /** Inherit no environment. Default false. */
  clearEnv?: boolean | undefined
  /** argv[0]. Default: the absolute path at which the program was named. */
  argv0?: string | undefined
  /** Default: spawn() pipes 0 to 2; output() pipes 1 and 2, and 0 where there is `input`. */
  stdio?: S
  /** output() only: what the child reads from descriptor 0; a string as UTF-8. */
  input?: string | NodeJS.ArrayBufferView | undefined
  /** output() only: how stdout and stderr are decoded. Default 'buffer': not at all. */
  encoding?: E
  /** output() only: bytes per stream, before decoding; Infinity allowed. Default 64 MiB. */
  maxBuffer?: number | undefined
  /** output() only: what passing maxBuffer does. 'error' (default) ends the child; 'discard' drops what is beyond. */
  overflow?: 'error' | 'discard' | undefined
  /** output() only: reject with ExitError unless the run succeeded. Default false. */
  check?: boolean | undefined
  /** Ends the child when aborted. */
  signal?: AbortSignal | undefined
  /** Milliseconds from the call until all is over; 0 (default): no limit. */
  timeout?: number | undefined
  /** What abort, timeout and disposal send. Default 'SIGTERM'. */
  killSignal?: NodeJS.Signals | number | undefined
  /** Milliseconds from killSignal to SIGKILL. Default: never. */
  forceKillAfter?: number | undefined
  /** Milliseconds after the program's end until pipes that others hold open are closed. Default: never. */
  waitDelay?: number | undefined
  /** Whom kill() and the rest reach: the process (default) or a new process group. */
  killScope?: 'process' | 'group' | undefined
  /** As ExecutableOptions.seal, at every start. */
  seal?: ExecutableOptions['seal']
  /** What happens to programs that start with `#!`. Default 'deny'. */
  scripts?: 'deny' | 'kernel' | 'root' | undefined
  /** There is no shell here. */
  shell?: false | undefined
  /** No effect, as in Node on these systems. */
  windowsHide?: boolean | undefined
  /** No effect, as in Node on these systems. */
  windowsVerbatimArguments?: boolean | undefined
}

export type RlimitName =
  | 'as'
  | 'core'
  | 'cpu'
  | 'data'
  | 'fsize'
  | 'locks'
  | 'memlock'
  | 'msgqueue'
  | 'nice'
  | 'nofile'
  | 'nproc'
  | 'rss'
  | 'rtprio'
  | 'rttime'
  | 'sigpending'
  | 'stack'

export type Rlimit = number | 'unlimited'

/** One range of ids in a user namespace; Go's SysProcIDMap. */
export interface IdMap {
  containerId: number
  hostId: number
  size: number
}

/** What the child process itself is made to be. */
export interface ProcessAttributes {
  /** Real, effective and saved user id. Without `groups` the supplementary groups are cleared. */
  uid?: number | undefined
  /** Group id, in the same way. */
  gid?: number | undefined
  /** Supplementary group ids. */
  groups?: readonly number[] | undefined
  /** 0 to 0o777. */
  umask?: number | undefined
  /** Start the child in a session of its own (setsid). Default false. */
  detached?: boolean | undefined
  /** The process group to join; 0: a new one. Not with `detached`. */
  pgid?: number | undefined
  /** Index into stdio: the controlling terminal of the child's session. Needs `detached`. */
  ctty?: number | undefined
  /** Put the child's group in the foreground of this process's terminal. Default false. */
  foreground?: boolean | undefined
  /** A signal that the child gets when the thread that started it ends. */
  pdeathsig?: NodeJS.Signals | number | undefined
  /** Resource limits: a number sets soft and hard. */
  rlimits?: { readonly [K in RlimitName]?: Rlimit | { soft: Rlimit; hard: Rlimit } | undefined } | undefined
  /** The nice value itself, -20 to 19. */
  nice?: number | undefined
  /** The CPUs that it may run on. */
  cpuAffinity?: readonly number[] | undefined
  /** Nothing that it runs gains privileges. Default false. */
  noNewPrivs?: boolean | undefined
  /** Close every descriptor that is not in stdio. Default true; false keeps what is inheritable. */
  closeFds?: boolean | undefined
  /** Its root directory. `cwd` is then seen from inside. */
  chroot?: string | Root | undefined
  /** New namespaces that it is made in. */
  namespaces?: readonly ('user' | 'pid' | 'net' | 'mount' | 'ipc' | 'uts' | 'cgroup' | 'time')[] | undefined
  /** User ids of a new user namespace. Needs 'user' in `namespaces`. */
  uidMappings?: readonly IdMap[] | undefined
  /** Group ids of a new user namespace. Needs 'user' in `namespaces`. */
  gidMappings?: readonly IdMap[] | undefined
  /** Whether setgroups(2) may be called there. Default false. */
  gidMappingsEnableSetgroups?: boolean | undefined
  /** Capabilities that it keeps though its user is not root. */
  ambientCaps?: readonly string[] | undefined
  /** A directory of cgroup v2 that it is born in. */
  cgroup?: string | number | Root | undefined
}

/** What forkExec() and Root.startProcess() take, in the terms of Go's os.ProcAttr. */
export interface ProcAttr extends ProcessAttributes {
  /** Where the child begins; a string is relative to this process. Default: this process's directory. */
  dir?: string | Root | { root: Root; path: string } | undefined
  /** The whole environment, 'KEY=value' each. Default: this process's, as it is at the call. */
  env?: readonly string[] | undefined
  /** files[i] is the descriptor of this process that the child has as i; null: closed. Default [0, 1, 2]. */
  files?: readonly (number | null)[] | undefined
  /** What happens to programs that start with `#!`. Default 'kernel' in forkExec(), 'deny' in Root.startProcess(). */
  scripts?: 'deny' | 'kernel' | 'root' | undefined
}

/** How forkExec() finds its program: execve(2), execveat(2), or a descriptor. */
export interface ForkExecAttr extends ProcAttr {
  /** Run what this descriptor holds; the path is then only a name for messages. */
  execFd?: number | undefined
  /** Resolve the path as execveat(2) does, from `dirFd`. Default false, true where there is `dirFd`. */
  at?: boolean | undefined
  /** A directory, or with AT_EMPTY_PATH the program itself. Default AT_FDCWD. */
  dirFd?: number | Root | undefined
  /** AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW, or'ed. */
  atFlags?: number | undefined
}

/** As process.resourceUsage() has it: times in microseconds, maxRSS in KiB. Of the one child alone. */
export type ResourceUsage = NodeJS.ResourceUsage

/** How a child ended. */
export interface CommandStatus {
  /** Its exit code; null when a signal ended it. */
  code: number | null
  /** The signal that ended it, or null. */
  signal: NodeJS.Signals | null
  /** Code 0, and not timed out. */
  success: boolean
}

/** How a Process ended. */
export interface ProcessState extends CommandStatus {
  pid: number
  /** Whether the signal that ended it left a core dump. */
  coreDumped: boolean
  resourceUsage: ResourceUsage
}

/** What output() resolves with. */
export interface CommandOutput<Out extends string | Buffer = Buffer> extends CommandStatus {
  /** 0 where its time was over before its turn to start had come. */
  pid: number
  /** Empty where not piped. */
  stdout: Out
  /** Empty where not piped. */
  stderr: Out
  timedOut: boolean
  /** Something that was written is not here (overflow). */
  truncated: boolean
  /** Milliseconds from the start to the end of everything. */
  durationMs: number
  resourceUsage: ResourceUsage
}

/** What spawn() returns: Node's ChildProcess, and a little more. */
export interface Child extends ChildProcess, AsyncDisposable {
  /** Linux: a descriptor of the process, valid until the listeners of 'exit' have run; else, and then, -1. */
  readonly pidfd: number
  /** Fulfils at 'exit', also when killed; rejects with the error of a start that failed. Never an unhandledRejection. */
  readonly status: Promise<CommandStatus>
  /** What the child used, once it has ended. */
  resourceUsage(): ResourceUsage | undefined
}

/** What this system offers, found by trying. */
export interface Probe {
  platform: string
  resolve: 'openat2' | 'o-resolve-beneath' | 'walk'
  exec: 'execveat' | 'fexecve' | 'proc-fd' | 'volfs' | 'private-copy' | 'none'
  fork: 'vfork' | 'fork'
  wait: 'pidfd' | 'kqueue' | 'waitid'
  pidfd: boolean
  cgroup: boolean
  userNamespaces: boolean
  noNewPrivs: boolean
  sealed: boolean
  executeCheck: boolean
  /** Those this system can honour. */
  attributes: readonly (keyof ProcessAttributes)[]
}

/** Where in a start it failed. */
export type Step =
  | 'resolve'
  | 'open'
  | 'script'
  | 'seal'
  | 'fork'
  | 'namespaces'
  | 'cgroup'
  | 'setsid'
  | 'setpgid'
  | 'foreground'
  | 'rlimits'
  | 'nice'
  | 'chroot'
  | 'umask'
  | 'fds'
  | 'ctty'
  | 'groups'
  | 'setgid'
  | 'setuid'
  | 'caps'
  | 'chdir'
  | 'pdeathsig'
  | 'affinity'
  | 'no_new_privs'
  | 'signals'
  | 'exec'
  | 'wait'

/** What output() rejects with after an abort (name 'AbortError'). */
export interface AbortError extends Error {
  readonly code: 'ABORT_ERR'
  readonly output?: CommandOutput<string | Buffer>
}
