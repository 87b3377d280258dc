// A Root's options: resolve, symlinks and crossMounts, how they are inherited, and both resolvers in agreement.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commandRoot, openRoot, probe, Root } from 'command-root'
import { refuses } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { parseReport, programs, reporter } from './support/programs.ts'
import { isRoot, scratch } from './support/system.ts'

/** root/, a small system as a container has it, beside outside/. */
function tree(t: ExecutionContext): { root: string; outside: string } {
  const directory = scratch(t)
  const [root, outside] = [path.join(directory, 'root'), path.join(directory, 'outside')]
  for (const place of ['usr/lib', 'bin', 'etc']) fs.mkdirSync(path.join(root, place), { recursive: true })
  fs.mkdirSync(outside)
  for (const file of ['bin/tool', 'usr/lib/tool', 'etc/passwd']) fs.writeFileSync(path.join(root, file), file)
  fs.writeFileSync(path.join(outside, 'tool'), 'outside')
  for (const [name, target] of [
    ['lib', '/usr/lib'],
    ['lib64', 'usr/lib'],
    ['sbin', 'bin'],
    ['absolute-tool', '/lib/tool'],
    ['usr/lib/up', '../../../../../..'],
    ['up', '..'],
    ['far-up', '../../../../../..'],
    ['out', '../outside/tool'],
    ['loop', 'loop'],
    ['dangling', '/nowhere'],
  ] as const) {
    fs.symlinkSync(target, path.join(root, name))
  }
  execFileSync('mkfifo', [path.join(root, 'fifo')])
  return { root, outside }
}

const where = (held: { fd: number }) => fs.readlinkSync(`/proc/self/fd/${held.fd}`)

// ---- resolve: 'in-root' --------------------------------------------------------------------------

test('in-root takes absolute names, links and .. as if the root were /', (t) => {
  const { root: at } = tree(t)
  using root = openRoot(at, { resolve: 'in-root' })
  for (const [name, file] of [
    ['/bin/tool', 'bin/tool'],
    ['//bin//tool', 'bin/tool'],
    ['../../../bin/tool', 'bin/tool'],
    ['/../bin/tool', 'bin/tool'],
    ['lib/tool', 'usr/lib/tool'],
    ['/lib/tool', 'usr/lib/tool'],
    ['lib/../lib/tool', 'usr/lib/tool'],
    ['lib/up/bin/tool', 'bin/tool'],
    ['absolute-tool', 'usr/lib/tool'],
    ['up/bin/tool', 'bin/tool'],
    ['far-up/etc/passwd', 'etc/passwd'],
    ['bin/../../etc/passwd', 'etc/passwd'],
  ] as const) {
    using executable = root.openExecutable(name)
    t.is(where(executable), path.join(at, file), name)
  }
  for (const [name, directory] of [
    ['/', '.'],
    ['..', '.'],
    ['lib', 'usr/lib'],
    ['/lib/..', 'usr'],
  ] as const) {
    using inner = root.openRoot(name)
    t.is(where(inner), path.join(at, directory), name)
  }
})

test('in-root nothing leads out', (t) => {
  const { root: at, outside } = tree(t)
  fs.symlinkSync(path.join(outside, 'tool'), path.join(at, 'absolute-out'))
  using root = openRoot(at, { resolve: 'in-root' })
  for (const name of [
    'out',
    '../outside/tool',
    '/../../outside/tool',
    'up/outside/tool',
    path.join(outside, 'tool'),
    'absolute-out',
    'dangling',
  ]) {
    refuses(t, () => root.openExecutable(name), 'ENOENT', [], name)
  }
})

test('in-root programs run, and argv[0] stays below the path of the Root', (t) => {
  const { root: at } = tree(t)
  fs.copyFileSync(reporter, path.join(at, 'usr/lib/reporter'))
  using root = openRoot(at, { resolve: 'in-root' })
  for (const [name, argv0] of [
    ['/lib/reporter', 'lib/reporter'],
    ['../../lib/reporter', 'lib/reporter'],
    ['lib/reporter', 'lib/reporter'],
  ] as const) {
    const { stdout } = commandRoot(root, name, [], { cwd: { root, path: '/lib/up/etc' } }).outputSync()
    const report = parseReport(stdout)
    t.is(report.exe, path.join(at, 'usr/lib/reporter'))
    t.is(report.cwd, path.join(at, 'etc'))
    t.is(report.argv[0], path.join(at, argv0))
  }
})

// ---- symlinks: 'deny' ----------------------------------------------------------------------------

test('a denied link is ELOOP in any component, and is named with its target', (t) => {
  using root = openRoot(tree(t).root, { symlinks: 'deny' })
  for (const [name, link, target] of [
    ['sbin', 'sbin', 'bin'],
    ['sbin/tool', 'sbin', 'bin'],
    ['sbin/', 'sbin', 'bin'],
    ['usr/../lib64/tool', 'usr/../lib64', 'usr/lib'],
    ['lib/tool', 'lib', '/usr/lib'],
    ['out', 'out', '../outside/tool'],
    ['dangling', 'dangling', '/nowhere'],
    ['loop', 'loop', 'loop'],
  ] as const) {
    const error = refuses(t, () => root.openExecutable(name), 'ELOOP', [`'${link}'`, `'${target}'`], name)
    t.is(error.path, name)
    t.is(error.step, 'resolve')
    refuses(t, () => root.openRoot(name), 'ELOOP', [], name)
    refuses(t, () => commandRoot(root, name).outputSync(), 'ELOOP', [], name)
  }
  using executable = root.openExecutable('usr/../bin/tool')
  t.true(executable.fd >= 0)
  refuses(t, () => root.openExecutable('../outside/tool'), 'ERR_PATH_ESCAPES_ROOT')
})

// ---- crossMounts: false --------------------------------------------------------------------------

test('a mount that is not to be crossed is EXDEV, and no escape', (t) => {
  using root = openRoot('/', { crossMounts: false })
  for (const name of ['proc/self/status', 'proc']) {
    const act = name === 'proc' ? () => root.openRoot(name) : () => root.openExecutable(name)
    const error = refuses(t, act, 'EXDEV', ['mount'], name)
    t.is(error.path, name)
    t.is(error.step, 'resolve')
  }
  refuses(t, () => root.openExecutable('../etc/passwd'), 'ERR_PATH_ESCAPES_ROOT')
  refuses(t, () => root.openExecutable('/etc/passwd'), 'ERR_PATH_ESCAPES_ROOT')
  using inRoot = openRoot('/', { crossMounts: false, resolve: 'in-root' })
  refuses(t, () => inRoot.openExecutable('/proc/self/status'), 'EXDEV', ['mount'])
  using proc = openRoot('/proc', { crossMounts: false })
  proc.openExecutable('self/status').close()
  using crossing = openRoot('/')
  crossing.openExecutable('proc/self/status').close()
})

const asRoot = isRoot ? test : test.skip
asRoot('a bind mount of the same file system is a mount (needs root)', (t) => {
  const { root: at, outside } = tree(t)
  const target = path.join(at, 'bound')
  fs.mkdirSync(target)
  try {
    execFileSync('mount', ['--bind', outside, target], { stdio: 'ignore' })
  } catch {
    t.log('skipped: no mount can be made here')
    t.pass()
    return
  }
  try {
    using root = openRoot(at, { crossMounts: false })
    refuses(t, () => root.openExecutable('bound/tool'), 'EXDEV', ['mount'])
    using crossing = openRoot(at)
    t.is(crossing.openExecutable('bound/tool').size, 'outside'.length)
  } finally {
    execFileSync('umount', ['--lazy', target])
  }
})

// ---- inherited -----------------------------------------------------------------------------------

test('a Root opened beneath another keeps each option that is not named', (t) => {
  const { root: at } = tree(t)
  fs.symlinkSync('/tool', path.join(at, 'usr/lib/absolute'))
  using root = openRoot(at, { resolve: 'in-root', symlinks: 'deny' })
  using inner = root.openRoot('/usr/lib')
  t.is(inner.openExecutable('/../tool').size, 'usr/lib/tool'.length, 'in-root, and no higher than itself')
  refuses(t, () => inner.openExecutable('absolute'), 'ELOOP')
  using follows = inner.openRoot('.', { symlinks: 'follow' })
  t.is(where(follows.openExecutable('absolute')), path.join(at, 'usr/lib/tool'))
  using beneath = follows.openRoot('.', { resolve: 'beneath' })
  refuses(t, () => beneath.openExecutable('absolute'), 'ERR_PATH_ESCAPES_ROOT', ['absolute', '/tool'])
  refuses(t, () => beneath.openExecutable('/tool'), 'ERR_PATH_ESCAPES_ROOT')
  using undefinedIsAbsent = root.openRoot('.', { resolve: undefined, symlinks: undefined, crossMounts: undefined })
  undefinedIsAbsent.openExecutable('/bin/tool').close()
  refuses(t, () => undefinedIsAbsent.openExecutable('sbin/tool'), 'ELOOP')
})

test('crossMounts, too, is inherited', (t) => {
  using root = openRoot('/', { crossMounts: false })
  using inner = root.openRoot('.')
  refuses(t, () => inner.openExecutable('proc/self/status'), 'EXDEV')
  using open = root.openRoot('.', { crossMounts: true })
  open.openExecutable('proc/self/status').close()
})

test('the name of a Root is resolved by the options of the one that opens it', (t) => {
  const { root: at } = tree(t)
  using root = openRoot(at)
  using denying = root.openRoot('lib64', { symlinks: 'deny' })
  t.is(where(denying), path.join(at, 'usr/lib'))
  refuses(t, () => root.openRoot('lib', { resolve: 'in-root' }), 'ERR_PATH_ESCAPES_ROOT')
  using nested = openRoot(at, { symlinks: 'deny' })
  refuses(t, () => nested.openRoot('lib64', { symlinks: 'follow' }), 'ELOOP')
})

test('a cwd in a Root follows the options of that Root', (t) => {
  const { root: at } = tree(t)
  using here = openRoot(programs)
  const cwd = (root: Root, name: string) =>
    parseReport(commandRoot(here, 'reporter', [], { cwd: { root, path: name } }).outputSync().stdout).cwd
  t.is(cwd(openRoot(at, { resolve: 'in-root' }), 'lib'), path.join(at, 'usr/lib'))
  refuses(t, () => cwd(openRoot(at), 'lib'), 'ERR_PATH_ESCAPES_ROOT')
  refuses(t, () => cwd(openRoot(at, { symlinks: 'deny' }), 'sbin'), 'ELOOP')
  refuses(t, () => cwd(openRoot('/', { crossMounts: false }), 'proc'), 'EXDEV')
})

test('fromFd takes the options', (t) => {
  const { root: at } = tree(t)
  const fd = fs.openSync(at, 'r')
  t.teardown(() => fs.closeSync(fd))
  using root = Root.fromFd(fd, { resolve: 'in-root', symlinks: 'deny' })
  root.openExecutable('/bin/tool').close()
  refuses(t, () => root.openExecutable('/sbin/tool'), 'ELOOP')
})

// ---- the tree changes ----------------------------------------------------------------------------

test('a Root inside a Root stays where it is when its path becomes a link', (t) => {
  const { root: at, outside } = tree(t)
  using root = openRoot(at, { resolve: 'in-root' })
  using inner = root.openRoot('usr/lib')
  fs.renameSync(path.join(at, 'usr/lib'), path.join(at, 'usr/moved'))
  fs.symlinkSync(outside, path.join(at, 'usr/lib'))
  t.is(where(inner.openExecutable('tool')), path.join(at, 'usr/moved/tool'))
  refuses(t, () => root.openExecutable('usr/lib/tool'), 'ENOENT')
  fs.renameSync(at, `${at}-moved`)
  t.is(where(root.openExecutable('/bin/tool')), `${at}-moved/bin/tool`)
  t.is(where(inner.openExecutable('../../tool')), `${at}-moved/usr/moved/tool`)
})

// ---- both resolvers ------------------------------------------------------------------------------

interface Answers {
  resolver: string
  table: [what: string, ...outcomes: unknown[]][]
}

test('the walk answers as openat2 does, in the same words', async (t) => {
  const { root: at } = tree(t)
  const ask = (env: NodeJS.ProcessEnv) => askParent<Answers>('resolve-table.mjs', { args: [at], env })
  const [usual, walk] = [await ask(process.env), await ask({ ...process.env, COMMAND_ROOT_WALK: '1' })]
  t.is(walk.resolver, 'walk')
  t.is(usual.resolver, probe().resolve)
  if (usual.resolver !== 'openat2') t.log('openat2 cannot be had here: the walk was compared with itself')
  t.true(usual.table.length > 300)
  for (const [index, row] of usual.table.entries()) t.deepEqual(walk.table[index], row)
})
