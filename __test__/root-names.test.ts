// Names under a Root: what is found, what leads out, and what stays true when the Root's path changes.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { CommandRootError, commandRoot, openRoot } from 'command-root'
import { refuses, untyped } from './support/fail.ts'
import { programs, reporter } from './support/programs.ts'
import { errnoOf, openDescriptors, scratch } from './support/system.ts'

// ---- names ---------------------------------------------------------------------------------------

/** tools/ with links of every kind, beside outside/. */
function tree(directory: string): string {
  const tools = path.join(directory, 'tools')
  const outside = path.join(directory, 'outside')
  fs.mkdirSync(path.join(tools, 'sub'), { recursive: true })
  fs.mkdirSync(outside)
  for (const file of [path.join(tools, 'file'), path.join(tools, 'sub', 'file'), path.join(outside, 'file')]) {
    fs.writeFileSync(file, file, { mode: 0o755 })
  }
  for (const [name, target] of [
    ['inside', 'sub/file'],
    ['inside-directory', 'sub'],
    ['sub/back', '../file'],
    ['out', '../outside/file'],
    ['out-directory', '../outside'],
    ['sub/far-out', '../../outside/file'],
    ['absolute', '/etc/passwd'],
    ['absolute-inside', path.join(tools, 'file')],
    ['absolute-directory', '/etc'],
    ['chain', 'chain2'],
    ['chain2', 'out'],
    ['slash', '/'],
    ['loop', 'loop2'],
    ['loop2', 'loop'],
    ['self', 'self'],
    ['dangling', 'nowhere'],
  ] as const) {
    fs.symlinkSync(target, path.join(tools, name))
  }
  execFileSync('mkfifo', [path.join(tools, 'fifo')])
  return tools
}

test('names that stay beneath are opened, through links too', (t) => {
  const tools = tree(scratch(t))
  using root = openRoot(tools)
  for (const [name, file] of [
    ['file', 'file'],
    ['./file', 'file'],
    ['sub//file', 'sub/file'],
    ['sub/../file', 'file'],
    ['inside', 'sub/file'],
    ['inside-directory/file', 'sub/file'],
    ['inside-directory/../file', 'file'],
    ['sub/back', 'file'],
  ] as const) {
    using executable = root.openExecutable(name)
    t.is(fs.readlinkSync(`/proc/self/fd/${executable.fd}`), path.join(tools, file), name)
  }
})

test('names that lead out are refused, wherever they lead', (t) => {
  const tools = tree(scratch(t))
  using root = openRoot(tools)
  for (const name of [
    '..',
    '../outside/file',
    'sub/../../outside/file',
    'sub/../../tools/file',
    '/etc/passwd',
    '/',
    path.join(tools, 'file'),
    'out',
    'out-directory/file',
    'sub/far-out',
    'inside-directory/far-out',
    'absolute',
    'absolute-inside',
    'absolute-directory/passwd',
    'chain',
    'slash',
    'slash/etc/passwd',
    '../missing/really',
  ]) {
    for (const act of [
      () => root.openExecutable(name),
      () => root.openRoot(name),
      () => commandRoot(root, name).spawn(),
      () => commandRoot(root, name).outputSync(),
    ]) {
      const error = refuses(t, act, 'ERR_PATH_ESCAPES_ROOT', [name], name)
      t.true(error instanceof CommandRootError)
      t.is(error.path, name)
      t.is(error.step, 'resolve')
    }
  }
})

test('an escape through a link names the link and where it leads', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [name, link, target] of [
    ['out', 'out', '../outside/file'],
    ['out-directory/file', 'out-directory', '../outside'],
    ['absolute', 'absolute', '/etc/passwd'],
    ['sub/far-out', 'far-out', '../../outside/file'],
    ['chain', 'out', '../outside/file'],
  ] as const) {
    refuses(t, () => root.openExecutable(name), 'ERR_PATH_ESCAPES_ROOT', [link, target], name)
  }
})

test('what is no program, or not there, says so as execve does', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [name, code] of [
    ['', 'ENOENT'],
    ['missing', 'ENOENT'],
    ['missing/file', 'ENOENT'],
    ['dangling', 'ENOENT'],
    ['file/below', 'ENOTDIR'],
    ['file/', 'ENOTDIR'],
    ['loop', 'ELOOP'],
    ['self', 'ELOOP'],
    ['self/file', 'ELOOP'],
    ['x'.repeat(300), 'ENAMETOOLONG'],
    ['x/'.repeat(2500), 'ENAMETOOLONG'],
    ['sub', 'EACCES'],
    ['sub/', 'EACCES'],
    ['.', 'EACCES'],
    ['fifo', 'EACCES'],
  ] as const) {
    const error = refuses(t, () => root.openExecutable(name), code, [], name.slice(0, 40))
    t.true(error instanceof CommandRootError)
    t.is(error.errno, errnoOf(code))
    t.is(error.path, name)
    t.true(['resolve', 'open'].includes(error.step as string), `${name.slice(0, 40)}: ${error.step}`)
  }
  using devices = openRoot('/dev')
  refuses(t, () => devices.openExecutable('null'), 'EACCES')
})

test('magic links lead nowhere', (t) => {
  using root = openRoot('/proc')
  for (const name of [
    'self/exe',
    'self/root/etc/passwd',
    'self/cwd/package.json',
    'self/fd/0',
    'self/ns/mnt',
    'thread-self/exe',
  ]) {
    t.is(refuses(t, () => root.openExecutable(name), 'ELOOP', [], name).path, name)
  }
  using executable = root.openExecutable('self/status')
  t.true(executable.fd >= 0, 'a link of procfs that is no magic one is followed')
})

test.serial('names of a wrong type or with a NUL byte are refused before anything is opened', (t) => {
  using root = openRoot(programs)
  const any = root as unknown as Record<'openExecutable' | 'openRoot', (name: unknown) => unknown>
  const before = openDescriptors()
  for (const [name, code] of [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
    [Buffer.from('reporter'), 'ERR_INVALID_ARG_TYPE'],
    [new URL('file:///reporter'), 'ERR_INVALID_ARG_TYPE'],
    ['reporter\0', 'ERR_INVALID_ARG_VALUE'],
  ] as const) {
    for (const act of [
      () => any.openExecutable(name),
      () => any.openRoot(name),
      () => untyped.commandRoot(root, name),
    ]) {
      t.true(refuses(t, act, code, ['name'], String(name)) instanceof TypeError)
    }
  }
  t.is(openDescriptors(), before)
})

test.serial('failed openings leave no descriptor behind', (t) => {
  using root = openRoot(tree(scratch(t)))
  const before = openDescriptors()
  for (const name of ['..', 'absolute', 'out', 'loop', 'missing', 'sub', 'fifo', '', 'file/below']) {
    t.throws(() => root.openExecutable(name))
    if (!name.startsWith('sub')) t.throws(() => root.openRoot(name || 'missing'))
    t.throws(() => commandRoot(root, name).outputSync())
  }
  t.is(openDescriptors(), before)
})

// ---- Root.openRoot -------------------------------------------------------------------------------

test('a Root inside a Root is bounded by itself', (t) => {
  const tools = tree(scratch(t))
  using root = openRoot(tools)
  using sub = root.openRoot('inside-directory')
  t.is(fs.readlinkSync(`/proc/self/fd/${sub.fd}`), path.join(tools, 'sub'))
  t.is(sub.openExecutable('file').size, fs.statSync(path.join(tools, 'sub', 'file')).size)
  refuses(t, () => sub.openExecutable('back'), 'ERR_PATH_ESCAPES_ROOT', ['back', '../file'])
  refuses(t, () => sub.openExecutable('../file'), 'ERR_PATH_ESCAPES_ROOT')
  refuses(t, () => root.openRoot('file'), 'ENOTDIR')
  refuses(t, () => root.openRoot('missing'), 'ENOENT')
  refuses(t, () => root.openRoot(''), 'ENOENT')
  root.close()
  t.true(sub.openExecutable('file').fd >= 0, 'it outlives the Root that it came from')
})

// ---- the path changes ----------------------------------------------------------------------------

test('a Root stays the directory that was opened, whatever becomes of its path', (t) => {
  const directory = scratch(t)
  const [tools, moved, evil] = ['tools', 'moved', 'evil'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ]
  for (const place of [tools, evil]) fs.mkdirSync(place)
  fs.copyFileSync(reporter, path.join(tools, 'program'))
  fs.copyFileSync(reporter, path.join(evil, 'program'))
  using root = openRoot(tools)
  const command = commandRoot(root, 'program', ['report'], { encoding: 'utf8' })
  const exe = () => (JSON.parse(command.outputSync().stdout) as { exe: string }).exe

  t.is(exe(), path.join(tools, 'program'))
  fs.renameSync(tools, moved)
  fs.symlinkSync(evil, tools)
  t.is(exe(), path.join(moved, 'program'), 'the path is a link to another directory now')
  fs.rmSync(path.join(moved, 'program'))
  fs.symlinkSync('../evil/program', path.join(moved, 'program'))
  refuses(t, exe, 'ERR_PATH_ESCAPES_ROOT')
})
