// Root.startProcess(): a Process whose program is found beneath the Root, by its rules.

import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CommandRootError, openRoot, type ProcAttr, Process, Root } from 'command-root'
import { refuses } from './support/fail.ts'
import { reported, said, untypedStartProcess } from './support/low-level.ts'
import { programs, reporter } from './support/programs.ts'
import { childrenOf, errnoOf, openDescriptors, scratch } from './support/system.ts'

const root = openRoot(programs)

/** inside/ with a program, a script and links; outside/ with another program. */
function tree(t: ExecutionContext): string {
  const directory = scratch(t)
  const inside = path.join(directory, 'inside')
  fs.mkdirSync(path.join(inside, 'sub'), { recursive: true })
  fs.mkdirSync(path.join(directory, 'outside'))
  for (const place of ['inside', 'inside/sub', 'outside'])
    fs.copyFileSync(reporter, path.join(directory, place, 'program'))
  fs.symlinkSync('../outside/program', path.join(inside, 'out'))
  fs.symlinkSync('/program', path.join(inside, 'absolute'))
  fs.symlinkSync('sub/program', path.join(inside, 'link'))
  fs.writeFileSync(path.join(inside, 'plain'), 'words')
  fs.writeFileSync(path.join(inside, 'script'), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 })
  fs.writeFileSync(path.join(inside, 'inner'), '#!/program report --\n', { mode: 0o755 })
  return inside
}

test('it starts what the Root has by that name, with argv, env, dir and files', (t) => {
  const inside = tree(t)
  using place = openRoot(inside)
  using image = openRoot(inside, { resolve: 'in-root' })
  for (const [from, name, exe] of [
    [place, 'program', 'program'],
    [place, './sub/../program', 'program'],
    [place, 'link', 'sub/program'],
    [image, '/sub/program', 'sub/program'],
    [image, '../../program', 'program'],
    [image, 'absolute', 'program'],
  ] as const) {
    const seen = reported(t, (out) => {
      const attr = { env: ['A=1'], dir: { root: place, path: 'sub' }, files: [null, out, 2] }
      const child = from.startProcess(name, ['zero', 'report'], attr)
      t.true(child instanceof Process)
      return child
    })
    t.deepEqual(
      [seen.exe, seen.argv, seen.env, seen.cwd, seen.fds.map(({ fd }) => fd)],
      [path.join(inside, exe), ['zero', 'report'], ['A=1'], path.join(inside, 'sub'), [1, 2]],
    )
  }
})

test('what leads out, is not there or cannot be run is refused, and leaves nothing', (t) => {
  const inside = tree(t)
  using place = openRoot(inside)
  using noLinks = openRoot(inside, { symlinks: 'deny' })
  const before = { descriptors: openDescriptors(), children: childrenOf() }
  for (const [from, name, code, step] of [
    [place, '../outside/program', 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
    [place, path.join(inside, 'program'), 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
    [place, 'out', 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
    [place, 'absolute', 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
    [noLinks, 'link', 'ELOOP', 'resolve'],
    [place, 'missing', 'ENOENT', 'resolve'],
    [place, '', 'ENOENT', 'resolve'],
    [place, 'sub', 'EACCES', 'open'],
    [place, 'plain', 'EACCES', 'exec'],
    [place, 'script', 'ERR_SCRIPT_DENIED', 'exec'],
  ] as const) {
    const error = refuses(t, () => from.startProcess(name, ['secret']), code, [], name)
    t.true(error instanceof CommandRootError)
    t.deepEqual([error.step, error.path], [step, name], name)
    t.is(error.errno, code.startsWith('ERR') ? undefined : errnoOf(code), name)
    t.notRegex(error.message, /secret/)
  }
  t.deepEqual({ descriptors: openDescriptors(), children: childrenOf() }, before)
})

test('scripts: denied unless something else is said', (t) => {
  using place = openRoot(tree(t))
  refuses(t, () => place.startProcess('script', ['x'], {}), 'ERR_SCRIPT_DENIED', ['/bin/sh'])
  refuses(t, () => place.startProcess('script', ['x'], { scripts: 'deny' }), 'ERR_SCRIPT_DENIED')
  const kernel = said(t, (out) => place.startProcess('script', ['x', 'y'], { scripts: 'kernel', files: [0, out, 2] }))
  t.is(kernel.text, '/dev/fd/3 y\n')
  const inner = reported(t, (out) => place.startProcess('inner', ['x'], { scripts: 'root', files: [0, out, 2] }))
  t.is(inner.exe, path.join(place.name, 'program'))
})

test('a closed Root starts nothing', (t) => {
  const closed = openRoot(programs)
  closed.close()
  refuses(t, () => closed.startProcess('reporter', ['x']), 'ERR_ROOT_CLOSED')
  refuses(t, () => root.startProcess('reporter', ['x'], { dir: closed }), 'ERR_ROOT_CLOSED')
  const none = Object.create(Root.prototype) as Root
  t.throws(() => none.startProcess('reporter', ['x']), { instanceOf: TypeError })
})

test('wrong arguments are refused by name', (t) => {
  for (const [args, code, words] of [
    [[], 'ERR_INVALID_ARG_TYPE', ['name']],
    [[Buffer.from('reporter'), ['x']], 'ERR_INVALID_ARG_TYPE', ['name']],
    [['reporter\0', ['x']], 'ERR_INVALID_ARG_VALUE', ['name']],
    [['reporter'], 'ERR_INVALID_ARG_TYPE', ['argv']],
    [['reporter', []], 'ERR_INVALID_ARG_VALUE', ['argv']],
    [['reporter', ['x'], 'attr'], 'ERR_INVALID_ARG_TYPE', ['attr']],
    // What only forkExec() has: the program is found beneath the Root.
    [['reporter', ['x'], { execFd: 3 }], 'ERR_INVALID_ARG_VALUE', ['attr.execFd']],
    [['reporter', ['x'], { at: true }], 'ERR_INVALID_ARG_VALUE', ['attr.at']],
    [['reporter', ['x'], { dirFd: 3 }], 'ERR_INVALID_ARG_VALUE', ['attr.dirFd', "'dir'"]],
    [['reporter', ['x'], { atFlags: 0 }], 'ERR_INVALID_ARG_VALUE', ['attr.atFlags']],
    [['reporter', ['x'], { file: [] }], 'ERR_INVALID_ARG_VALUE', ['attr.file', "'files'"]],
    [['reporter', ['x'], { files: {} }], 'ERR_INVALID_ARG_TYPE', ['attr.files']],
    [['reporter', ['x'], { env: {} }], 'ERR_INVALID_ARG_TYPE', ['attr.env']],
  ] as [unknown[], string, string[]][]) {
    refuses(t, () => untypedStartProcess(root, ...args), code, words, JSON.stringify(args))
  }
})

test('attr is read once, and its own properties alone', (t) => {
  const reads: string[] = []
  const attr = new Proxy({ env: ['A=1'], files: [] } as ProcAttr, {
    get: (target, key, receiver) => {
      reads.push(String(key))
      return Reflect.get(target, key, receiver)
    },
  })
  t.is(root.startProcess('reporter', ['x', 'exit', '3'], attr).waitSync().code, 3)
  t.deepEqual(reads, ['env', 'files'])
  const inherited = Object.create({ scripts: 'nonsense', nonsense: true }) as ProcAttr
  t.is(root.startProcess('reporter', ['x', 'exit', '4'], inherited).waitSync().code, 4)
})
