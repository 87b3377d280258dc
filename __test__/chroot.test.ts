// chroot: what the child sees, where it begins, what it is called, and that nothing leads out or is believed inside.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { type Command, type CommandOptions, commandFd, commandRoot, openRoot } from 'command-root'
import { type Coded, rejects } from './support/fail.ts'
import { jailFor } from './support/jail.ts'
import { askParent } from './support/parents.ts'
import { asRoot, mapped, needs, testWhere, withUserNamespaces } from './support/privileges.ts'
import { without } from './support/programs.ts'
import { isRoot } from './support/system.ts'
import { reports, ways } from './support/ways.ts'

type Plain = CommandOptions<undefined, undefined>

/** By a right that this process has, or in a user namespace, where everybody has it. */
const rights: [string, Plain, string | undefined][] = [
  ['as root', {}, asRoot],
  ['in a user namespace', { namespaces: ['user'], ...mapped }, withUserNamespaces],
]

const inode = (file: string) => fs.statSync(file).ino

for (const [how, right, lacking] of rights) {
  testWhere(lacking, `the root directory is another: ${how}`, async (t) => {
    const jail = jailFor(t)
    using root = openRoot(jail)
    for (const chroot of [jail, root, path.relative(process.cwd(), jail)]) {
      for (const [way, report] of await reports(root, { ...right, chroot })) {
        t.is(report.cwdIno, inode(jail), way)
        t.deepEqual(
          report.fds.map(({ fd }) => fd),
          [0, 1, 2],
          way,
        )
      }
      for (const [way, start] of Object.entries(ways)) {
        const script = 'cd / && echo * && cd .. && cd ../../.. && echo *'
        const [once, again] = (await start(root, 'bin/sh', ['-c', script], { ...right, chroot })).split('\n')
        t.true(once?.includes('reporter'), way)
        t.is(again, once, way)
      }
    }
  })

  testWhere(lacking, `the directory to begin in is inside: ${how}`, async (t) => {
    const jail = jailFor(t)
    using root = openRoot(jail)
    using sub = root.openRoot('a')
    fs.symlinkSync('/a', path.join(jail, 'absolute'))
    for (const [cwd, expected] of [
      [undefined, '.'],
      ['', '.'],
      ['/', '.'],
      ['/a/b', 'a/b'],
      ['a/b', 'a/b'],
      ['../../a', 'a'],
      ['/absolute/b', 'a/b'],
      [pathToFileURL('/a/b'), 'a/b'],
      [root, '.'],
      [sub, 'a'],
      [{ root, path: 'a/b' }, 'a/b'],
      [{ root: sub, path: 'b' }, 'a/b'],
    ] as const) {
      for (const [way, { cwdIno }] of await reports(root, { ...right, chroot: root, cwd }))
        t.is(cwdIno, inode(path.join(jail, expected)), `${way} ${String(cwd)}`)
    }
    const error = await rejects(
      t,
      commandRoot(root, 'reporter', [], { ...right, chroot: root, cwd: '/tmp/no' }).output(),
      'ENOENT',
    )
    t.is(error.step, 'chdir')
    t.is(error.syscall, 'chdir')
  })

  testWhere(
    lacking,
    `a new mount namespace with its own root: mounts there are the child’s alone: ${how}`,
    async (t) => {
      const jail = jailFor(t, 'mount', 'mkdir')
      using root = openRoot(jail)
      const options: Plain = {
        ...right,
        namespaces: [...(right.namespaces ?? []), 'mount'],
        chroot: root,
        clearEnv: true,
      }
      const script =
        '/bin/mount -t tmpfs none /tmp && /bin/mkdir /tmp/inside && cd /tmp && echo *; cd ../../..; echo /re*'
      for (const cwd of [undefined, '/a', root]) {
        for (const [way, start] of Object.entries(ways)) {
          const said = await start(root, 'bin/sh', ['-c', script], { ...options, cwd })
          t.deepEqual(said.trim().split('\n'), ['inside', '/reporter'], way)
        }
      }
      t.deepEqual(fs.readdirSync(path.join(jail, 'tmp')), [])
      for (const [way, { cwdIno }] of await reports(root, { ...options, cwd: '/a/b' }))
        t.is(cwdIno, inode(path.join(jail, 'a/b')), way)
    },
  )
}

testWhere(asRoot, 'the directory is entered as the new user', async (t) => {
  const jail = jailFor(t)
  using root = openRoot(jail)
  for (const cwd of ['/closed', { root, path: 'closed' }]) {
    const command = commandRoot(root, 'reporter', [], { chroot: root, cwd, uid: 65534 })
    t.is((await rejects(t, command.output(), 'EACCES')).step, 'chdir')
  }
})

testWhere(
  needs('an ordinary user', !isRoot),
  'who may not change the root is told so, and not run outside',
  async (t) => {
    const jail = jailFor(t)
    using root = openRoot(jail)
    const error = await rejects(t, commandRoot(root, 'reporter', [], { chroot: root }).output(), 'EPERM')
    t.deepEqual([error.step, error.syscall], ['chroot', 'chroot'])
  },
)

test('what is no directory is told so', async (t) => {
  const jail = jailFor(t)
  using root = openRoot(jail)
  for (const [chroot, code] of [
    [path.join(jail, 'reporter'), 'ENOTDIR'],
    [path.join(jail, 'no'), 'ENOENT'],
  ] as const) {
    const error = await rejects(t, commandRoot(root, 'reporter', [], { chroot }).output(), code)
    t.deepEqual([error.step, error.syscall, error.path], ['chroot', 'open', chroot])
  }
  const closed = openRoot(jail)
  const command = commandRoot(root, 'reporter', [], { chroot: closed })
  closed.close()
  await rejects(t, command.output(), 'ERR_ROOT_CLOSED')
})

// ---- what it is called -----------------------------------------------------------------------------------

testWhere(asRoot && withUserNamespaces, 'argv[0] is the path inside where the Root is the chroot’s own', (t) => {
  const jail = jailFor(t)
  using root = openRoot(jail)
  using again = openRoot(jail)
  using sub = root.openRoot('a')
  fs.copyFileSync(path.join(jail, 'reporter'), path.join(jail, 'a/reporter'))
  using executable = root.openExecutable('reporter')
  using beneath = sub.openExecutable('reporter')
  const fd = fs.openSync(path.join(jail, 'reporter'), 'r')
  t.teardown(() => fs.closeSync(fd))
  const called = (command: Command<Buffer>): string | undefined => {
    const child = command.spawn()
    child.kill()
    return child.spawnargs[0]
  }
  const options = { chroot: root, ...rights.find(([, , lacking]) => !lacking)?.[1] }
  t.is(called(commandRoot(root, 'reporter', [], options)), '/reporter')
  t.is(called(commandRoot(root, './a/../reporter', [], options)), '/reporter')
  t.is(called(commandRoot(again, 'reporter', [], options)), 'reporter')
  t.is(called(commandRoot(sub, 'reporter', [], options)), 'reporter')
  t.is(called(commandRoot(root, 'reporter', [], { ...options, chroot: jail })), 'reporter')
  t.is(called(commandRoot(root, 'reporter', [], { ...options, argv0: 'x' })), 'x')
  t.is(called(commandFd(executable, [], options)), '/reporter')
  t.is(called(commandFd(beneath, [], options)), 'reporter')
  t.is(called(commandFd(fd, [], options)), `/dev/fd/${fd}`)
  t.is(called(commandRoot(root, 'reporter', [], {})), path.join(jail, 'reporter'))
})

// ---- what is planted inside is not believed ----------------------------------------------------------------

/** /proc and /dev/fd as somebody would want them to be, at every number. */
function plant(jail: string): void {
  const directory = path.join(jail, 'proc/self/fd')
  fs.mkdirSync(directory, { recursive: true })
  for (let fd = 0; fd < 100; fd++) {
    fs.writeFileSync(path.join(directory, String(fd)), '#!/bin/sh\necho planted\n', { mode: 0o755 })
  }
  fs.symlinkSync('/proc/self/fd', path.join(jail, 'dev/fd'))
}

interface Tried {
  code?: string
  step?: string
  message?: string
  fds?: number[]
}

/** What starts in this jail say, in a process where calls are refused; something stands open in it. */
const tried = (jail: string, refused: string, options: object, launcher: string[] = []) =>
  askParent<Tried>('jailed.mjs', {
    before: ['open', '77'],
    launcher: [without, refused, '--', ...launcher],
    args: [jail, JSON.stringify(options)],
  })

for (const [how, right, lacking] of rights) {
  testWhere(lacking, `no program is run by a planted /proc: ${how}`, async (t) => {
    const jail = jailFor(t)
    plant(jail)
    for (const refused of ['execveat', 'execveat=EPERM']) {
      const { code, step } = await tried(jail, refused, right)
      t.true(code === 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' || (code === 'EPERM' && refused.endsWith('EPERM')), code)
      t.is(step, 'exec')
    }
  })

  testWhere(lacking, `descriptors are closed by the list from outside: ${how}`, async (t) => {
    const jail = jailFor(t)
    plant(jail)
    // Without prlimit64 it cannot be told how many numbers there are to be tried.
    for (const refused of ['', 'close_range,prlimit64', 'close_range=EPERM,prlimit64'])
      t.deepEqual((await tried(jail, refused, right)).fds, [0, 1, 2], refused)
  })

  testWhere(lacking, `a script has to find its /dev/fd inside: ${how}`, async (t) => {
    const jail = jailFor(t)
    fs.writeFileSync(path.join(jail, 'script'), '#!/reporter\n', { mode: 0o755 })
    using root = openRoot(jail, { resolve: 'in-root' })
    const start = (scripts: 'kernel' | 'root') =>
      commandRoot(root, 'script', [], { ...right, chroot: root, scripts }).output()
    for (const scripts of ['kernel', 'root'] as const) {
      t.regex((await rejects(t, start(scripts), 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM')).message, /scripts/)
    }
    plant(jail)
    for (const scripts of ['kernel', 'root'] as const) {
      t.regex((await rejects(t, start(scripts), 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM')).message, /scripts/)
    }
  })
}

const mounts = ['unshare', '-m', 'sh', '-c', 'mount -t proc proc "$JAIL/proc" && exec "$@"', 'sh']
const mountable = isRoot && spawnSync('unshare', ['-m', 'true']).status === 0

testWhere(needs('root and unshare(1)', mountable), 'a script runs where there is a /dev/fd inside', async (t) => {
  const jail = jailFor(t)
  fs.symlinkSync('/proc/self/fd', path.join(jail, 'dev/fd'))
  fs.writeFileSync(path.join(jail, 'script'), '#!/reporter\n', { mode: 0o755 })
  for (const scripts of ['kernel', 'root']) {
    const found = await askParent<Tried & { argv: string[] }>('jailed.mjs', {
      launcher: ['/usr/bin/env', `JAIL=${jail}`, ...mounts],
      args: [jail, JSON.stringify({ scripts }), 'script'],
    })
    t.deepEqual(found.argv?.at(-1), '/dev/fd/3', JSON.stringify(found))
  }
})

testWhere(asRoot, 'a loader that is missing inside is told as such, though there is one outside', async (t) => {
  const jail = jailFor(t)
  using root = openRoot(jail)
  for (const directory of ['lib64', 'lib']) fs.rmSync(path.join(jail, directory), { recursive: true, force: true })
  const error: Coded = await rejects(t, commandRoot(root, 'reporter', [], { chroot: root }).output(), 'ENOENT')
  t.is(error.step, 'exec')
  t.regex(error.message, /loader/)
})
