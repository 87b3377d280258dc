// forkExec() of a child whose root directory is another: a path is the child's own, what is from dirFd is found before.

import fs from 'node:fs'
import path from 'node:path'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, type ForkExecAttr, forkExec, openRoot } from 'command-root'
import { refuses } from './support/fail.ts'
import { jailFor } from './support/jail.ts'
import { asRoot, mapped, testWhere, withUserNamespaces } from './support/privileges.ts'
import { reporter } from './support/programs.ts'
import { openDescriptors } from './support/system.ts'

const rights: [string, ForkExecAttr, string | undefined][] = [
  ['as root', {}, asRoot],
  ['in a user namespace', { namespaces: ['user'], ...mapped }, withUserNamespaces],
]

for (const [how, right, lacking] of rights) {
  testWhere(lacking, `the program is found as the child sees it, or from dirFd before: ${how}`, (t) => {
    const jail = jailFor(t)
    fs.copyFileSync(reporter, path.join(jail, 'a', 'below'))
    fs.symlinkSync('/reporter', path.join(jail, 'a', 'absolute'))
    using chroot = openRoot(jail)
    using a = chroot.openRoot('a')
    const here = fs.openSync(path.join(jail, 'a'), 'r')
    const outside = fs.openSync(path.dirname(reporter), 'r')
    const held = fs.openSync(reporter, 'r')
    t.teardown(() => {
      for (const fd of [here, outside, held]) fs.closeSync(fd)
    })
    const [inside, below] = [path.join(jail, 'reporter'), path.join(jail, 'a', 'below')]
    for (const [file, attr, program, begins] of [
      ['/reporter', {}, inside, '.'],
      ['reporter', {}, inside, '.'],
      ['../../reporter', { dir: '/a/b' }, inside, 'a/b'],
      ['below', { dir: 'a' }, below, 'a'],
      ['below', { dir: a }, below, 'a'],
      ['/a/absolute', {}, inside, '.'],
      // Found before there is a child, and where it would have found it.
      ['/reporter', { scripts: 'deny' }, inside, '.'],
      ['below', { dir: '/a', scripts: 'deny' }, below, 'a'],
      ['/reporter', { at: true }, inside, '.'],
      ['/a/absolute', { at: true }, inside, '.'],
      ['../../reporter', { at: true }, inside, '.'],
      ['../reporter', { at: true, dir: '/a' }, inside, 'a'],
      ['below', { at: true, dir: a }, below, 'a'],
      ['/reporter', { dirFd: here, dir: 'a' }, inside, 'a'],
      // From a descriptor, which may be one of another place.
      ['below', { dirFd: here }, below, '.'],
      ['../reporter', { dirFd: here }, inside, '.'],
      ['reporter', { dirFd: outside }, reporter, '.'],
      ['', { dirFd: held, atFlags: AT_EMPTY_PATH }, reporter, '.'],
      ['', { execFd: held, dir: 'a' }, reporter, 'a'],
    ] as [string, ForkExecAttr, string, string][]) {
      const about = `${file} ${JSON.stringify(attr)}`
      const child = forkExec(file, ['x', 'sleep', '60000'], { ...right, ...attr, chroot, files: [] })
      const seen = ['exe', 'cwd'].map((link) => fs.readlinkSync(`/proc/${child.pid}/${link}`)) // as seen from here
      child.kill('SIGKILL')
      t.is(child.waitSync().signal, 'SIGKILL')
      t.deepEqual(seen, [program, path.join(jail, begins)], about)
    }
  })

  testWhere(lacking, `nothing leads out, and what is not there says so: ${how}`, (t) => {
    const jail = jailFor(t)
    fs.symlinkSync('/reporter', path.join(jail, 'a', 'absolute'))
    fs.writeFileSync(path.join(jail, 'script'), '#!/bin/sh\n', { mode: 0o755 })
    using chroot = openRoot(jail)
    using a = chroot.openRoot('a')
    const before = openDescriptors()
    for (const [file, attr, code, step] of [
      [reporter, {}, 'ENOENT', 'exec'],
      [reporter, { at: true }, 'ENOENT', 'resolve'],
      [reporter, { scripts: 'deny' }, 'ENOENT', 'resolve'],
      ['', { at: true }, 'ENOENT', 'resolve'],
      ['/a/absolute', { at: true, atFlags: AT_SYMLINK_NOFOLLOW }, 'ELOOP', 'open'],
      ['absolute', { at: true, dir: a }, 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
      ['../reporter', { at: true, dir: a }, 'ERR_PATH_ESCAPES_ROOT', 'resolve'],
      ['/script', { scripts: 'deny' }, 'ERR_SCRIPT_DENIED', 'exec'],
      // It has no /dev/fd there by which its interpreter could read it.
      ['script', { dirFd: chroot }, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', 'script'],
    ] as [string, ForkExecAttr, string, string][]) {
      const error = refuses(t, () => forkExec(file, ['x'], { ...right, ...attr, chroot }), code, [], file)
      t.is(error.step, step, `${file} ${JSON.stringify(attr)}`)
    }
    t.true(openDescriptors() <= before)
    t.is(forkExec('/script', ['x'], { ...right, chroot, files: [] }).waitSync().code, 0)
  })
}
