// Programs that the tests start, and what they tell.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Rlimit, RlimitName } from 'command-root'

export const repository = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))))
const target = path.resolve(repository, process.env.CARGO_TARGET_DIR ?? 'target')

/** The directory that holds `reporter`, and the programs themselves (__test__/programs). */
export const programs = path.join(target, 'debug', 'examples')
export const reporter = built('reporter')
export const attacker = built('attacker')
/** Runs a program where chosen system calls are refused. */
export const without = built('without', ['filter'])
/** An addon that takes rights from the thread that loads it. */
export const restrict = built('restrict', ['filter'], 'librestrict.so')
/** An addon that disturbs its process in the way that NEIGHBOUR says. */
export const neighbour = built('neighbour', ['filter'], 'libneighbour.so')

function built(name: string, more: readonly string[] = [], file = name): string {
  const program = path.join(programs, file)
  const changed = (source: string) => statSync(path.join(repository, '__test__', 'programs', `${source}.rs`)).mtimeMs
  if (!existsSync(program) || [name, ...more].some((source) => statSync(program).mtimeMs < changed(source))) {
    execFileSync('cargo', ['build', '--quiet', '--example', name], { cwd: repository, stdio: 'inherit' })
  }
  return program
}

export interface Descriptor {
  fd: number
  target: string
  cloexec: boolean
  nonblock: boolean
}

export interface Report {
  argv: string[]
  env: string[]
  cwd: string
  cwdDev: number
  cwdIno: number
  exe: string
  fds: Descriptor[]
  pid: number
  ppid: number
  pgid: number
  sid: number
  nice: number
  umask: number
  uid: string
  gid: string
  groups: string
  threads: string
  noNewPrivs: string
  seccomp: string
  caps: Record<'CapInh' | 'CapPrm' | 'CapEff' | 'CapBnd' | 'CapAmb', string>
  cpus: string
  limits: Record<RlimitName, [soft: Rlimit, hard: Rlimit]>
  namespaces: Record<'user' | 'pid' | 'net' | 'mnt' | 'ipc' | 'uts' | 'cgroup' | 'time', string>
  root: string
  cgroup: string
  /** the foreground group of its controlling terminal */
  tty: number | null
  pdeathsig: number
  sigBlocked: string
  sigIgnored: string
  sigCaught: string
  sigPending: string
  sigPendingProcess: string
}

const asText = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8')

/** The report's strings hold bytes; here they are text again. */
export function parseReport(line: string | Buffer): Report {
  return JSON.parse(line.toString(), (_key, value: unknown) => (typeof value === 'string' ? asText(value) : value))
}

/** What the reporter's environment is, as an object. */
export const environment = (report: Report): Record<string, string> =>
  Object.fromEntries(report.env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))

/** A program of the system by its place under '/': `['/usr', 'bin/true']`. */
export function system(name: string): { root: string; name: string; path: string } {
  for (const directory of ['/usr/bin', '/bin']) {
    const found = path.join(directory, name)
    if (existsSync(found)) return { root: directory, name, path: found }
  }
  throw new Error(`the tests need ${name}`)
}

export const readText = (file: string): string => readFileSync(file, 'utf8')
