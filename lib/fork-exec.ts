/** Starts in Go's terms: forkExec(), which finds its program as execve(2) or execveat(2) do, and Root.startProcess(). */
import type { At, Request } from '#binding'
import { attributesIn, attributesOf } from './attributes.ts'
import { binding } from './binding.ts'
import { ownEnvironment } from './environment.ts'
import { directoryOf, isRoot } from './held-root.ts'
import { permit } from './permission.ts'
import { beginningOf } from './place.ts'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  readArgv,
  readForkExecAttr,
  readProcAttr,
  STANDARD,
} from './proc-attr.ts'
import { type Process, startProcess } from './process.ts'
import type { Root } from './root.ts'
import type { ForkExecAttr, ProcAttr } from './types.ts'
import * as check from './validate.ts'

/** What is to be run. */
interface Target {
  /** For messages. */
  readonly name: string
  readonly request: Pick<Request, 'root' | 'name' | 'path' | 'at' | 'programFd'>
}

/**
 * Starts a program as execve(2) finds it: `path`, relative to `attr.dir` where there is one. With `attr.execFd` the
 * program that this descriptor holds; with `attr.at`, `attr.dirFd`, `attr.atFlags` what execveat(2) finds. `argv` is all
 * of it, argv[0] included. Throws CommandRootError where it does not start: ENOENT, EACCES, … with the step.
 */
export function forkExec(path: string, argv: readonly string[], attr?: ForkExecAttr): Process {
  check.cString(path, 'path')
  const words = readArgv(argv)
  const kept = readForkExecAttr(attr)
  permit('child', nameOf(path, kept))
  const scripts = kept.scripts ?? 'kernel'
  return start(targetOf(path, kept, scripts), words, kept, scripts)
}

/** Root.startProcess(), for Root. */
export function startBeneath(root: Root, name: string, argv: readonly string[], attr?: ProcAttr): Process {
  check.cString(name, 'name')
  const words = readArgv(argv)
  const kept = readProcAttr(attr)
  permit('child', name)
  return start({ name, request: { root: directoryOf(root), name } }, words, kept, kept.scripts ?? 'deny')
}

function start(program: Target, argv: readonly string[], attr: ProcAttr, scripts: Request['scripts']): Process {
  const { cwd, cwdRoot } = beginningOf(attr.dir, attr)
  const attributes = attributesIn(attr)
  const env = attr.env ?? ownEnvironment()
  const request = check.bare<Request>({
    ...program.request,
    argv: [...argv],
    stdio: (attr.files ?? STANDARD).map((file) => file ?? 'closed'),
    group: false,
    seal: false,
    scripts,
  })
  if (attributes) request.attributes = attributesOf(attributes)
  if (env) request.env = [...env]
  if (cwd !== undefined) request.cwd = cwd
  if (cwdRoot) request.cwdRoot = directoryOf(cwdRoot)
  return startProcess(program.name, request)
}

function targetOf(path: string, attr: ForkExecAttr, scripts: Request['scripts']): Target {
  const { execFd, at, dirFd } = attr
  const name = nameOf(path, attr)
  if (execFd !== undefined) return { name, request: { programFd: execFd } }
  if (at || dirFd !== undefined) return { name, request: requestAt(path, attr, scripts) }
  if (scripts === 'kernel') return { name, request: { path } }
  // execve(2) would run a script's interpreter by itself: the program is found first, and run by descriptor.
  return { name, request: found({ path, follow: true }) }
}

/** As execveat(2): an absolute path, or an empty one with AT_EMPTY_PATH, is no path from dirFd. */
function requestAt(path: string, attr: ForkExecAttr, scripts: Request['scripts']): Target['request'] {
  const { dirFd = AT_FDCWD, atFlags = 0 } = attr
  const follow = (atFlags & AT_SYMLINK_NOFOLLOW) === 0
  const root = isRoot(dirFd) && scripts === 'root' ? { root: directoryOf(dirFd) } : {}
  if (path.startsWith('/')) return found({ path, follow, ...root })
  const fd = isRoot(dirFd) ? openFd(dirFd) : dirFd
  const isEmpty = path === '' && (atFlags & AT_EMPTY_PATH) !== 0
  if (fd === AT_FDCWD) return found({ path: isEmpty ? '.' : path, follow })
  return isEmpty ? { programFd: fd } : found({ path, follow, fd, ...root })
}

/** Throws ERR_ROOT_CLOSED. */
function openFd(root: Root): number {
  return binding.directoryFd(directoryOf(root))
}

/** What nobody has put there is not there, whatever is on Object.prototype. */
function found(at: At): Target['request'] {
  return { at: check.bare(at) }
}

/** What messages call the program: an empty path says nothing. */
function nameOf(path: string, { execFd, dirFd, atFlags = 0 }: ForkExecAttr): string {
  if (path !== '') return path
  const held = execFd ?? (atFlags & AT_EMPTY_PATH ? dirFd : undefined)
  if (isRoot(held)) return held.name
  return held === undefined || held === AT_FDCWD ? path : `/dev/fd/${held}`
}
