// Root.lookPath: the first executable of a name in a search path that lies inside the Root.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { CommandRootError, openRoot, type Root } from 'command-root'
import { type Coded, refuses } from './support/fail.ts'
import { errnoOf, isRoot, openDescriptors, scratch } from './support/system.ts'

/** A small system: bin and usr/bin with programs, files that are none, links that stay and links that lead out. */
function tree(directory: string): string {
  const root = path.join(directory, 'root')
  const at = (name: string) => path.join(root, name)
  for (const place of ['bin', 'usr/bin', 'opt/a:b', 'etc']) fs.mkdirSync(at(place), { recursive: true })
  fs.mkdirSync(path.join(directory, 'outside'))
  fs.writeFileSync(path.join(directory, 'outside', 'tool'), '', { mode: 0o755 })
  for (const [name, mode] of [
    ['here', 0o755],
    ['bin/tool', 0o755],
    ['usr/bin/tool', 0o755],
    ['usr/bin/only', 0o755],
    ['bin/plain', 0o644],
    ['usr/bin/plain', 0o755],
    ['bin/never', 0o644],
    ['opt/a:b/colon', 0o755],
    ['etc/file', 0o644],
  ] as const) {
    fs.writeFileSync(at(name), '', { mode })
  }
  fs.mkdirSync(at('bin/directory'))
  for (const [name, target] of [
    ['sbin', 'bin'],
    ['bin/linked', '../usr/bin/only'],
    ['bin/dangling', 'nowhere'],
    ['bin/leads-out', '../../outside/tool'],
    ['out', '../outside'],
    ['lib', '/usr/bin'],
  ] as const) {
    fs.symlinkSync(target, at(name))
  }
  return root
}

const lookPath = (root: Root) => (root as unknown as { lookPath(...args: unknown[]): string }).lookPath.bind(root)

test('the first that can be executed is found, by its name from the Root', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [file, searchPath, found] of [
    ['tool', 'bin:usr/bin', 'bin/tool'],
    ['tool', 'usr/bin:bin', 'usr/bin/tool'],
    ['tool', '/usr/bin:/bin', 'usr/bin/tool'],
    ['tool', '/usr/bin/', 'usr/bin/tool'],
    ['tool', ['missing', 'etc/file', 'usr/bin'], 'usr/bin/tool'],
    ['tool', 'sbin', 'sbin/tool'],
    ['tool', './bin/../usr/bin', './bin/../usr/bin/tool'],
    ['plain', 'bin:usr/bin', 'usr/bin/plain'],
    ['only', 'bin:usr/bin', 'usr/bin/only'],
    ['linked', 'bin', 'bin/linked'],
    ['here', '', 'here'],
    ['here', 'bin:', 'here'],
    ['here', ':bin', 'here'],
    ['here', ['.'], 'here'],
    ['here', '/', 'here'],
    ['colon', ['opt/a:b'], 'opt/a:b/colon'],
  ] as const) {
    const name = root.lookPath(file, searchPath)
    t.is(name, found, `${file} in ${JSON.stringify(searchPath)}`)
    root.openExecutable(name).close()
  }
})

test('a file with a slash is not searched for', (t) => {
  using root = openRoot(tree(scratch(t)))
  t.is(root.lookPath('bin/tool', 'usr/bin'), 'bin/tool')
  t.is(root.lookPath('./bin/tool', []), './bin/tool')
  for (const [file, code] of [
    ['usr/tool', 'ENOENT'],
    ['bin/never', 'EACCES'],
    ['bin/directory', 'EACCES'],
    ['bin/', 'EACCES'],
    ['etc/file/', 'ENOTDIR'],
    ['/bin/tool', 'ERR_PATH_ESCAPES_ROOT'],
    ['../outside/tool', 'ERR_PATH_ESCAPES_ROOT'],
  ] as const) {
    t.is(refuses(t, () => root.lookPath(file, 'bin'), code, [], file).path, file)
  }
})

test('what is nowhere is ENOENT, with what was searched', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [file, searchPath, words] of [
    ['missing', 'bin:/usr/bin', ['bin', '/usr/bin']],
    ['dangling', 'bin', ['bin']],
    ['tool', ['no/such', 'etc/file'], ['no/such', 'etc/file']],
    ['tool', [], ['nothing']],
    ['', 'bin', []],
  ] as const) {
    const error = refuses(t, () => root.lookPath(file, searchPath), 'ENOENT', words, file)
    t.true(error instanceof CommandRootError)
    t.is(error.errno, errnoOf('ENOENT'))
    t.is(error.path, file)
    t.is(error.step, 'resolve')
  }
})

test('what was found and cannot be executed is EACCES, and named', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [file, searchPath, name] of [
    ['never', 'usr/bin:bin', 'bin/never'],
    ['directory', 'bin', 'bin/directory'],
    ['..', 'bin', 'bin/..'],
  ] as const) {
    const error = refuses(t, () => root.lookPath(file, searchPath), 'EACCES', [name], file)
    t.is(error.errno, errnoOf('EACCES'))
    t.is(error.path, file)
  }
})

test('an entry that leads out is an error, whatever comes after it', (t) => {
  using root = openRoot(tree(scratch(t)))
  for (const [file, searchPath] of [
    ['tool', '..:bin'],
    ['tool', 'out:bin'],
    ['tool', '../outside:bin'],
    ['tool', 'lib:bin'],
    ['leads-out', 'bin'],
  ] as const) {
    refuses(t, () => root.lookPath(file, searchPath), 'ERR_PATH_ESCAPES_ROOT', [file], `${file} in ${searchPath}`)
  }
  t.is(root.lookPath('tool', 'bin:out'), 'bin/tool', 'what comes after the find is not looked at')
})

test('it follows the options of the Root', (t) => {
  const place = tree(scratch(t))
  using inRoot = openRoot(place, { resolve: 'in-root' })
  t.is(inRoot.lookPath('tool', 'lib'), 'lib/tool')
  t.is(inRoot.lookPath('tool', '../..:bin'), 'bin/tool')
  t.is(inRoot.lookPath('/bin/tool', ''), '/bin/tool')
  using denying = openRoot(place, { symlinks: 'deny' })
  refuses(t, () => denying.lookPath('tool', 'sbin:bin'), 'ELOOP', ['sbin'])
  refuses(t, () => denying.lookPath('linked', 'bin'), 'ELOOP', ['linked'])
})

const asUser = isRoot ? test.skip : test
asUser('a directory that may not be searched is skipped (root searches every one)', (t) => {
  const place = tree(scratch(t))
  fs.chmodSync(path.join(place, 'bin'), 0o600)
  using root = openRoot(place)
  t.is(root.lookPath('tool', 'bin:usr/bin'), 'usr/bin/tool')
  refuses(t, () => root.lookPath('tool', 'bin'), 'ENOENT', ['bin'])
  fs.chmodSync(path.join(place, 'bin'), 0o700)
})

test('arguments are checked, and a closed Root refuses', (t) => {
  const root = openRoot(tree(scratch(t)))
  const look = lookPath(root)
  for (const [args, code, word] of [
    [[7, 'bin'], 'ERR_INVALID_ARG_TYPE', 'file'],
    [['to\0ol', 'bin'], 'ERR_INVALID_ARG_VALUE', 'file'],
    [['tool'], 'ERR_INVALID_ARG_TYPE', 'searchPath'],
    [['tool', null], 'ERR_INVALID_ARG_TYPE', 'searchPath'],
    [['tool', { 0: 'bin' }], 'ERR_INVALID_ARG_TYPE', 'searchPath'],
    [['tool', 'b\0in'], 'ERR_INVALID_ARG_VALUE', 'searchPath'],
    [['tool', ['bin', 7]], 'ERR_INVALID_ARG_TYPE', 'searchPath[1]'],
    [['tool', ['b\0in']], 'ERR_INVALID_ARG_VALUE', 'searchPath[0]'],
  ] as const) {
    t.true((refuses(t, () => look(...args), code, [word], JSON.stringify(args)) as Coded) instanceof TypeError)
  }
  root.close()
  refuses(t, () => root.lookPath('tool', 'bin'), 'ERR_ROOT_CLOSED')
})

test.serial('it leaves no descriptor behind', (t) => {
  using root = openRoot(tree(scratch(t)))
  const before = openDescriptors()
  root.lookPath('tool', 'missing:bin')
  for (const file of ['never', 'missing', 'leads-out', 'directory']) t.throws(() => root.lookPath(file, 'bin:usr/bin'))
  t.is(openDescriptors(), before)
})
