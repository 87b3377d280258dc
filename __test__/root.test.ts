// A Root: opening it in every way, badly too, and closing it.

import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { CommandRootError, commandRoot, openRoot, Root } from 'command-root'
import { thrown } from './support/compare.ts'
import { refuses, untyped } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { programs, reporter } from './support/programs.ts'
import { errnoOf, scratch } from './support/system.ts'

// ---- opening and closing -------------------------------------------------------------------------

test('a path is taken as a string, a URL or a Buffer', (t) => {
  for (const given of [programs, pathToFileURL(programs), Buffer.from(programs)]) {
    const root = openRoot(given)
    t.is(fs.readlinkSync(`/proc/self/fd/${root.fd}`), fs.realpathSync(programs))
    t.is(root.name, programs)
    t.true(root instanceof Root)
    root.close()
  }
})

test('a path that is not UTF-8 is opened', (t) => {
  const directory = Buffer.concat([Buffer.from(`${scratch(t)}/`), Buffer.from([0xff, 0x61])])
  fs.mkdirSync(directory)
  using root = openRoot(directory)
  t.deepEqual(fs.readlinkSync(`/proc/self/fd/${root.fd}`, { encoding: 'buffer' }), directory)
})

test('its descriptor is not inherited', (t) => {
  using root = openRoot(programs)
  const flags = /^flags:\s*(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${root.fd}`, 'utf8'))?.[1]
  t.is(Number.parseInt(flags ?? '0', 8) & 0o2000000, 0o2000000, 'O_CLOEXEC')
})

test('close() can be called again, and so can disposal', (t) => {
  const root = openRoot(programs)
  const { fd } = root
  root.close()
  t.is(root.fd, -1)
  t.throws(() => fs.fstatSync(fd), { code: 'EBADF' })
  root.close()
  root[Symbol.dispose]()
  t.is(root.fd, -1)
  t.is(root.name, programs)
})

test('a closed Root refuses everything', (t) => {
  const root = openRoot(programs)
  root.close()
  refuses(t, () => root.openRoot('.'), 'ERR_ROOT_CLOSED')
  refuses(t, () => root.openExecutable('reporter'), 'ERR_ROOT_CLOSED')
  refuses(t, () => commandRoot(root, 'reporter').spawn(), 'ERR_ROOT_CLOSED')
  refuses(t, () => commandRoot(root, 'reporter').outputSync(), 'ERR_ROOT_CLOSED')
})

test('the end of a `using` block closes', (t) => {
  let root: Root
  {
    using inner = openRoot(programs)
    root = inner
    t.true(root.fd >= 3)
  }
  t.is(root.fd, -1)
})

test('Roots and Executables that nobody holds are closed when collected', async (t) => {
  const { before, after } = await askParent<{ before: number; after: number }>('collected.mjs', {
    nodeOptions: ['--expose-gc'],
    args: [programs],
  })
  t.is(after, before)
})

test('a Root that was not opened holds nothing and runs nothing', (t) => {
  t.throws(() => commandRoot(Reflect.construct(Root, []) as Root, 'reporter').outputSync(), { instanceOf: TypeError })
  t.throws(() => commandRoot(Object.create(Root.prototype) as Root, 'reporter').outputSync(), { instanceOf: TypeError })
})

// ---- openRoot, badly -----------------------------------------------------------------------------

test('a path that cannot be opened says why', (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'file'), '')
  fs.symlinkSync('loop', path.join(directory, 'loop'))
  for (const [given, code] of [
    [path.join(directory, 'file'), 'ENOTDIR'],
    [path.join(directory, 'missing'), 'ENOENT'],
    [path.join(directory, 'file', 'below'), 'ENOTDIR'],
    [path.join(directory, 'loop'), 'ELOOP'],
    [path.join(directory, 'x'.repeat(5000)), 'ENAMETOOLONG'],
    ['', 'ENOENT'],
  ] as const) {
    const error = refuses(t, () => openRoot(given), code, [], given.slice(0, 80))
    t.true(error instanceof CommandRootError)
    t.is(error.errno, errnoOf(code))
    t.is(error.path, given)
    t.is(typeof error.syscall, 'string')
    t.true(['resolve', 'open'].includes(error.step as string))
  }
})

test('a path of a wrong type or with a NUL byte is refused as Node refuses it', (t) => {
  for (const given of [
    undefined,
    null,
    7,
    {},
    ['/usr'],
    '/usr\0/bin',
    Buffer.from('/usr\0'),
    new URL('http://example.test/'),
    new URL('file:///usr%2Fbin'),
  ]) {
    const nodes = thrown(() => fs.openSync(given as string, 'r')) as Error & { code: string }
    const ours = refuses(t, () => untyped.openRoot(given), nodes.code, [], String(given))
    t.is(ours.name, nodes.name)
    t.true(String(ours).includes(`[${nodes.code}]`))
  }
})

const roots: [string, (options: unknown) => Root][] = [
  ['openRoot', (options) => untyped.openRoot(programs, options)],
  ['Root.openRoot', (options) => (openRoot(programs) as unknown as typeof untyped).openRoot('.', options)],
  ['Root.fromFd', (options) => untyped.Root.fromFd(openRoot(programs).fd, options)],
]
for (const [name, open] of roots) {
  test(`${name} checks its options`, (t) => {
    for (const [options, code, words] of [
      [{ resolv: 'beneath' }, 'ERR_INVALID_ARG_VALUE', ['resolv', 'resolve']],
      [{ symlink: 'deny' }, 'ERR_INVALID_ARG_VALUE', ['symlinks']],
      [{ crossMount: false }, 'ERR_INVALID_ARG_VALUE', ['crossMounts']],
      [{ resolve: 'beneth' }, 'ERR_INVALID_ARG_VALUE', ['resolve']],
      [{ symlinks: 'no' }, 'ERR_INVALID_ARG_VALUE', ['symlinks']],
      [{ crossMounts: 'no' }, 'ERR_INVALID_ARG_TYPE', ['crossMounts']],
      [7, 'ERR_INVALID_ARG_TYPE', ['options']],
      ['beneath', 'ERR_INVALID_ARG_TYPE', ['options']],
    ] as const) {
      refuses(t, () => open(options), code, words, JSON.stringify(options))
    }
    for (const options of [
      undefined,
      {},
      { resolve: 'beneath', symlinks: 'follow', crossMounts: true },
      { resolve: 'in-root', symlinks: 'deny', crossMounts: false },
      { resolve: undefined },
    ]) {
      const root = open(options)
      t.true(root.fd >= 0)
      root.close()
    }
  })
}

// ---- Root.fromFd ---------------------------------------------------------------------------------

test('fromFd duplicates the descriptor', (t) => {
  const fd = fs.openSync(programs, 'r')
  using root = Root.fromFd(fd, { name: '/somewhere' })
  t.not(root.fd, fd)
  fs.closeSync(fd)
  t.is(fs.readlinkSync(`/proc/self/fd/${root.fd}`), fs.realpathSync(programs))
  t.is(root.name, '/somewhere')
  t.is(commandRoot(root, 'reporter', ['exit', '3']).outputSync().code, 3)
})

test('fromFd refuses what is no descriptor of a directory', (t) => {
  const file = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(file))
  refuses(t, () => Root.fromFd(file), 'ENOTDIR')
  const error = refuses(t, () => Root.fromFd(987_654), 'EBADF')
  t.is(error.errno, errnoOf('EBADF'))
  for (const given of [-1, 1.5, Number.NaN, 2 ** 31, '1', undefined, null, {}]) {
    const nodes = thrown(() => fs.fstatSync(given as number)) as Error & { code: string }
    t.is(refuses(t, () => untyped.Root.fromFd(given), nodes.code, [], String(given)).name, nodes.name)
  }
})
