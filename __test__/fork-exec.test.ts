// forkExec(): how it finds its program, what the program gets, and what is refused.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  CommandRootError,
  type ForkExecAttr,
  forkExec,
  openRoot,
  probe,
} from 'command-root'
import { refuses } from './support/fail.ts'
import { reported, said } from './support/low-level.ts'
import { parseReport, reporter } from './support/programs.ts'
import { childrenOf, errnoOf, isRoot, openDescriptors, scratch } from './support/system.ts'

const O_PATH = 0o10000000

/** A copy of the reporter beside links and scripts; `sub` holds another. */
function tree(t: ExecutionContext): string {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'sub'))
  for (const name of ['program', 'sub/program']) fs.copyFileSync(reporter, path.join(directory, name))
  fs.symlinkSync('program', path.join(directory, 'link'))
  fs.symlinkSync('..', path.join(directory, 'sub', 'up'))
  fs.symlinkSync('loop', path.join(directory, 'loop'))
  fs.writeFileSync(path.join(directory, 'plain'), 'words')
  fs.writeFileSync(path.join(directory, 'text'), 'words', { mode: 0o755 })
  fs.writeFileSync(path.join(directory, 'script'), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 })
  return directory
}

function open(t: ExecutionContext, file: string, flags: number | string = 'r'): number {
  const fd = fs.openSync(file, flags)
  t.teardown(() => fs.closeSync(fd))
  return fd
}

// ---- which program --------------------------------------------------------------------------------

test('the constants are Linux’s', (t) => {
  t.deepEqual([AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW], [-100, 0x1000, 0x100])
})

test('a program is found as execve and execveat find it', (t) => {
  const directory = tree(t)
  using root = openRoot(directory)
  using sub = openRoot(path.join(directory, 'sub'))
  const here = open(t, directory)
  const pathOnly = open(t, directory, O_PATH)
  const held = open(t, path.join(directory, 'program'))
  const heldPathOnly = open(t, path.join(directory, 'sub', 'program'), O_PATH)
  const top = path.join(directory, 'program')
  const below = path.join(directory, 'sub', 'program')
  const relative = path.relative(process.cwd(), top)
  for (const [file, attr, exe] of [
    [top, {}, top],
    [relative, {}, top],
    ['program', { dir: directory }, top],
    ['./sub/../program', { dir: directory }, top],
    ['../program', { dir: path.join(directory, 'sub') }, top],
    ['program', { dir: root }, top],
    ['program', { dir: { root, path: 'sub' } }, below],
    ['link', { dir: directory }, top],
    [top, { dir: '/' }, top],
    [top, { scripts: 'deny' }, top],
    ['program', { dir: directory, scripts: 'deny' }, top],

    ['program', { dirFd: here }, top],
    ['program', { dirFd: pathOnly }, top],
    ['program', { dirFd: root }, top],
    ['program', { dirFd: root, at: true }, top],
    ['sub/program', { dirFd: root, dir: '/' }, below],
    ['link', { dirFd: root }, top],
    ['program', { dirFd: root, atFlags: AT_SYMLINK_NOFOLLOW }, top],
    ['sub/up/program', { dirFd: root, atFlags: AT_SYMLINK_NOFOLLOW }, top],
    ['program', { dirFd: root, atFlags: AT_EMPTY_PATH }, top],
    ['program', { dirFd: root, scripts: 'root' }, top],
    // `..`, a link and an absolute path leave it.
    ['../program', { dirFd: sub }, top],
    ['up/program', { dirFd: sub }, top],
    [top, { dirFd: sub }, top],
    [top, { dirFd: 987_654 }, top],
    [top, { dirFd: held, atFlags: AT_SYMLINK_NOFOLLOW }, top],

    [top, { at: true }, top],
    [relative, { at: true }, top],
    [relative, { dirFd: AT_FDCWD }, top],
    ['program', { dirFd: AT_FDCWD, dir: path.join(directory, 'sub') }, below],
    ['program', { at: true, dir: { root, path: 'sub' } }, below],
    [top, { at: false }, top],

    ['', { at: true, dirFd: held, atFlags: AT_EMPTY_PATH }, top],
    ['', { dirFd: heldPathOnly, atFlags: AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW }, below],
    ['whatever', { execFd: held }, top],
    ['', { execFd: heldPathOnly }, below],
    ['/not/there', { execFd: held, at: false, dir: '/' }, top],
  ] as [string, ForkExecAttr, string][]) {
    const about = `${file} ${JSON.stringify(attr)}`
    const seen = reported(t, (out) => forkExec(file, ['argv0', 'report'], { ...attr, files: [null, out, 2] }))
    t.is(seen.exe, exe, about)
    t.deepEqual(seen.argv, ['argv0', 'report'], about)
  }
})

test('an absolute path does not look at a Root that is closed', (t) => {
  const root = openRoot('/')
  root.close()
  t.is(forkExec(reporter, ['x', 'exit', '4'], { dirFd: root }).waitSync().code, 4)
  refuses(t, () => forkExec('bin/true', ['x'], { dirFd: root }), 'ERR_ROOT_CLOSED')
})

test('what a descriptor holds runs, whatever has its name by then', (t) => {
  const directory = tree(t)
  const file = path.join(directory, 'program')
  const fd = open(t, file)
  fs.renameSync(file, path.join(directory, 'moved'))
  fs.symlinkSync('/bin/false', file)
  for (const attr of [{ execFd: fd }, { at: true, dirFd: fd, atFlags: AT_EMPTY_PATH }]) {
    const seen = reported(t, (out) => forkExec('', ['x', 'report'], { ...attr, files: [null, out, 2] }))
    t.is(seen.exe, path.join(directory, 'moved'))
  }
  fs.rmSync(path.join(directory, 'moved'))
  t.is(forkExec('', ['x', 'exit', '9'], { execFd: fd }).waitSync().code, 9)
})

test('a program that may be executed and not read runs', (t) => {
  const directory = tree(t)
  fs.chmodSync(path.join(directory, 'program'), 0o111)
  for (const attr of [{ dir: directory }, { dir: directory, at: true }, { dirFd: open(t, directory) }]) {
    t.is(forkExec('program', ['x', 'exit', '5'], attr).waitSync().code, 5)
  }
})

// ---- what it gets ---------------------------------------------------------------------------------

test('argv and env are what was given, and nothing more', (t) => {
  for (const argv of [
    ['x', 'report'],
    ['', 'report', '--', ''],
    ['a b', 'report', '--', 'ä\n', '日本', '-'],
  ]) {
    for (const env of [[], ['A=1'], ['A=1', 'A=2', 'B=', '=C', 'no sign', 'ü=ß']]) {
      const seen = reported(t, (out) => forkExec(reporter, argv, { env, files: [null, out, 2] }))
      t.deepEqual([seen.argv, seen.env], [argv, env])
    }
  }
})

test('without env it is this process’s own, as it is at the call', (t) => {
  process.env.FORK_EXEC_TEST = 'set'
  t.teardown(() => delete process.env.FORK_EXEC_TEST)
  const seen = reported(t, (out) => forkExec(reporter, ['x', 'report'], { files: [null, out, 2] }))
  const nodes = parseReport(spawnSync(reporter, ['report']).stdout)
  t.true(seen.env.includes('FORK_EXEC_TEST=set'))
  t.deepEqual(seen.env.toSorted(), nodes.env.toSorted())
})

test('dir is where it begins', (t) => {
  const directory = tree(t)
  using root = openRoot(directory)
  const sub = path.join(directory, 'sub')
  for (const [dir, cwd] of [
    [undefined, process.cwd()],
    ['', process.cwd()],
    [directory, directory],
    [path.relative(process.cwd(), sub), sub],
    [root, directory],
    [{ root, path: 'sub' }, sub],
  ] as const) {
    for (const attr of [{}, { at: true }, { execFd: open(t, reporter) }]) {
      const start = (out: number) => forkExec(reporter, ['x', 'report'], { ...attr, dir, files: [null, out, 2] })
      t.is(reported(t, start).cwd, cwd)
    }
  }
})

test('signals, session and descriptors are those of any start', (t) => {
  const start = (detached: boolean) => (out: number) =>
    forkExec(reporter, ['x', 'report'], { detached, files: [null, out, 2] })
  const [plain, detached] = [reported(t, start(false)), reported(t, start(true))]
  t.deepEqual([detached.sid, detached.pgid], [detached.pid, detached.pid])
  t.not(plain.sid, plain.pid)
  t.is(plain.ppid, process.pid)
  t.deepEqual([plain.sigBlocked, plain.sigIgnored], ['0000000000000000', '0000000000000000'])
  t.deepEqual(
    plain.fds.map(({ fd }) => fd),
    [1, 2],
  )
})

// ---- scripts --------------------------------------------------------------------------------------

test('scripts run by default, as execve runs them', (t) => {
  const directory = tree(t)
  using root = openRoot(directory)
  const script = path.join(directory, 'script')
  for (const [file, attr, text] of [
    [script, {}, `${script} y`],
    ['script', { dir: directory }, 'script y'],
    ['./script', { dir: directory }, './script y'],
    // By descriptor there is no path: it stays open, after those that were asked for.
    ['script', { dirFd: root }, '/dev/fd/3 y'],
    ['', { execFd: open(t, script) }, '/dev/fd/3 y'],
    [script, { at: true }, '/dev/fd/3 y'],
  ] as [string, ForkExecAttr, string][]) {
    const { text: seen } = said(t, (out) => forkExec(file, ['x', 'y'], { ...attr, files: [0, out, 2] }))
    t.is(seen, `${text}\n`, JSON.stringify(attr))
  }
})

test('scripts are denied, or found in the Root, where that is said', (t) => {
  const directory = tree(t)
  fs.writeFileSync(path.join(directory, 'inner'), '#!/program report --\n', { mode: 0o755 })
  using root = openRoot(directory)
  for (const [file, attr] of [
    [path.join(directory, 'script'), {}],
    ['script', { dir: directory }],
    ['script', { dirFd: root }],
    ['', { execFd: open(t, path.join(directory, 'script')) }],
  ] as [string, ForkExecAttr][]) {
    refuses(t, () => forkExec(file, ['x'], { ...attr, scripts: 'deny' }), 'ERR_SCRIPT_DENIED', ['/bin/sh'])
  }
  const seen = reported(t, (out) => forkExec('inner', ['x'], { dirFd: root, scripts: 'root', files: [null, out, 2] }))
  t.is(seen.exe, path.join(directory, 'program'))
  for (const attr of [{}, { at: true }, { dirFd: open(t, directory) }, { execFd: open(t, directory) }]) {
    const act = () => forkExec(path.join(directory, 'inner'), ['x'], { ...attr, scripts: 'root' })
    refuses(t, act, 'ERR_INVALID_ARG_VALUE', ['attr.scripts', 'dirFd'])
  }
})

// ---- what fails -----------------------------------------------------------------------------------

const failing = (t: ExecutionContext): [string, ForkExecAttr, code: string, syscall: string, step: string][] => {
  const directory = tree(t)
  const root = openRoot(directory)
  t.teardown(() => root.close())
  const [here, plain] = [open(t, directory), open(t, path.join(directory, 'plain'))]
  const link = open(t, path.join(directory, 'link'), O_PATH | fs.constants.O_NOFOLLOW)
  return [
    ['', {}, 'ENOENT', 'execve', 'exec'],
    ['missing', { dir: directory }, 'ENOENT', 'execve', 'exec'],
    [path.join(directory, 'missing'), {}, 'ENOENT', 'execve', 'exec'],
    [path.join(directory, 'plain'), {}, 'EACCES', 'execve', 'exec'],
    [path.join(directory, 'sub'), {}, 'EACCES', 'execve', 'exec'],
    [path.join(directory, 'plain', 'x'), {}, 'ENOTDIR', 'execve', 'exec'],
    [path.join(directory, 'loop'), {}, 'ELOOP', 'execve', 'exec'],
    [path.join(directory, 'text'), {}, 'ENOEXEC', 'execve', 'exec'],
    ['x'.repeat(300), { dir: directory }, 'ENAMETOOLONG', 'execve', 'exec'],

    ['', { at: true }, 'ENOENT', 'openat', 'resolve'],
    ['', { dirFd: here }, 'ENOENT', 'openat', 'resolve'],
    ['', { dirFd: here, atFlags: AT_EMPTY_PATH }, 'EACCES', 'fstat', 'open'],
    ['', { dirFd: root, atFlags: AT_EMPTY_PATH }, 'EACCES', 'fstat', 'open'],
    ['', { at: true, atFlags: AT_EMPTY_PATH }, 'EACCES', 'fstat', 'open'],
    ['', { dirFd: link, atFlags: AT_EMPTY_PATH }, 'ELOOP', 'fstat', 'open'],
    ['', { dirFd: 987_654, atFlags: AT_EMPTY_PATH }, 'EBADF', 'fcntl', 'open'],
    ['missing', { dirFd: here }, 'ENOENT', 'openat', 'resolve'],
    ['missing', { dir: directory, scripts: 'deny' }, 'ENOENT', 'openat', 'resolve'],
    ['plain', { dirFd: here }, 'EACCES', 'execveat', 'exec'],
    ['text', { dirFd: here }, 'ENOEXEC', 'execveat', 'exec'],
    ['sub', { dirFd: here }, 'EACCES', 'fstat', 'open'],
    ['program', { dirFd: plain }, 'ENOTDIR', 'openat', 'resolve'],
    ['program', { dirFd: 987_654 }, 'EBADF', 'fcntl', 'resolve'],
    ['link', { dirFd: here, atFlags: AT_SYMLINK_NOFOLLOW }, 'ELOOP', 'fstat', 'open'],
    [path.join(directory, 'link'), { at: true, atFlags: AT_SYMLINK_NOFOLLOW }, 'ELOOP', 'fstat', 'open'],
    ['loop', { dirFd: here }, 'ELOOP', 'openat', 'resolve'],

    ['x', { execFd: plain }, 'EACCES', 'execveat', 'exec'],
    ['x', { execFd: here }, 'EACCES', 'fstat', 'open'],
    ['x', { execFd: 987_654 }, 'EBADF', 'fcntl', 'open'],
    [reporter, { files: [0, 1, 2, 987_654] }, 'EBADF', 'fcntl', 'fds'],
    [reporter, { dir: path.join(directory, 'missing') }, 'ENOENT', 'open', 'chdir'],
    [
      reporter,
      { dir: { root, path: 'plain' } },
      'ENOTDIR',
      probe().resolve === 'openat2' ? 'openat2' : 'openat',
      'chdir',
    ],
  ]
}

test('what does not start says where and why, and leaves nothing', (t) => {
  const cases = failing(t)
  const before = { descriptors: openDescriptors(), children: childrenOf() }
  for (const [file, attr, code, syscall, step] of cases) {
    const about = `${file.slice(0, 80)} ${JSON.stringify(attr)}`
    const error = refuses(t, () => forkExec(file, ['secret'], { env: ['SECRET=1'], ...attr }), code, [], about)
    t.true(error instanceof CommandRootError, about)
    t.deepEqual([error.errno, error.syscall, error.step], [errnoOf(code), syscall, step], about)
    t.notRegex(error.message, /secret/i)
    t.regex(error.message, new RegExp(`^${code}: .*${syscall}`))
  }
  t.deepEqual({ descriptors: openDescriptors(), children: childrenOf() }, before)
})

test('the path of an error is what it is about', (t) => {
  const pathOf = (file: string, attr: ForkExecAttr) => refuses(t, () => forkExec(file, ['x'], attr), 'EACCES').path
  const fd = open(t, '/')
  t.is(pathOf('/etc/passwd', {}), '/etc/passwd')
  t.is(pathOf('a name', { execFd: fd }), 'a name')
  t.is(pathOf('', { execFd: fd }), `/dev/fd/${fd}`)
  t.is(pathOf('', { dirFd: fd, atFlags: AT_EMPTY_PATH }), `/dev/fd/${fd}`)
  t.is(pathOf('', { dirFd: openRoot('/etc'), atFlags: AT_EMPTY_PATH }), '/etc')
  const error = refuses(t, () => forkExec('x', ['x'], { dir: '/nowhere' }), 'ENOENT', ['/nowhere'])
  t.is(error.path, '/nowhere')
  refuses(t, () => forkExec('x', ['x'], { dirFd: 987_654 }), 'EBADF', ['987654'])
  refuses(t, () => forkExec(reporter, ['x'], { files: [0, 1, 2, 987_654] }), 'EBADF', [
    '987654',
    'child’s 3'.replace('’', "'"),
  ])
})

const asOrdinary = isRoot ? test.skip : test
asOrdinary(`a directory that may not be searched${isRoot ? ' (root may)' : ''}`, (t) => {
  const directory = tree(t)
  fs.chmodSync(directory, 0o600)
  t.teardown(() => fs.chmodSync(directory, 0o700))
  t.is(refuses(t, () => forkExec(path.join(directory, 'program'), ['x']), 'EACCES').step, 'exec')
  t.is(refuses(t, () => forkExec('program', ['x'], { dir: directory }), 'EACCES').step, 'chdir')
})
