// What the kernel refuses of an attribute: code, errno, system call and step, and nothing left behind.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import type { CommandOptions } from 'command-root'
import { askParent } from './support/parents.ts'
import {
  asRoot,
  hierarchy,
  mapped,
  needs,
  openPlace,
  testWhere,
  uid,
  withGroups,
  withUserNamespaces,
} from './support/privileges.ts'
import { errnoOf, isRoot } from './support/system.ts'

const place = openPlace()

interface Failed {
  code: string
  errno?: number
  syscall?: string
  step?: string
  message?: string
}

interface Attempt {
  spawn: Failed
  output: Failed
  outputSync: Failed
  left: object
}

type Row = [options: CommandOptions<undefined, undefined>, code: string, syscall: string, step: string]

/** Another id than this process has. */
const other = 54_321

/** What nobody may, root neither. */
const always: Row[] = [
  [{ pgid: 2 ** 31 - 1 }, 'EPERM', 'setpgid', 'setpgid'],
  [{ detached: true, ctty: 0 }, 'ENOTTY', 'ioctl', 'ctty'],
  [{ cpuAffinity: [8191] }, 'EINVAL', 'sched_setaffinity', 'affinity'],
  [{ cpuAffinity: [0, 8191] }, 'EINVAL', 'sched_setaffinity', 'affinity'],
  [{ rlimits: { nofile: Number.MAX_SAFE_INTEGER } }, 'EPERM', 'prlimit64', 'rlimits'],
  [{ cgroup: '/' }, 'EBADF', 'clone3', 'cgroup'],
  [{ cgroup: '/no/such/group' }, 'ENOENT', 'open', 'cgroup'],
  [{ cgroup: '/etc/passwd' }, 'ENOTDIR', 'open', 'cgroup'],
  [{ cgroup: 987_654 }, 'EBADF', 'fcntl', 'cgroup'],
  [{ chroot: '/no/such/place' }, 'ENOENT', 'open', 'chroot'],
  [{ chroot: '/etc/passwd' }, 'ENOTDIR', 'open', 'chroot'],
]

/** What nobody may in a user namespace of his own. */
const inUserNamespace: Row[] = [
  [{ uid: 7 }, 'EINVAL', 'setresuid', 'setuid'],
  [{ gid: 7 }, 'EINVAL', 'setresgid', 'setgid'],
  [{ groups: [0] }, 'EPERM', 'setgroups', 'groups'],
  [{ groups: [] }, 'EPERM', 'setgroups', 'groups'],
]

const overlapping = [
  { containerId: 0, hostId: uid, size: 1 },
  { containerId: 0, hostId: uid + 1, size: 1 },
]

const maps: Row[] = [
  [{ namespaces: ['user'], uidMappings: overlapping }, 'EINVAL', 'write', 'namespaces'],
  [{ namespaces: ['user'], gidMappings: overlapping }, 'EINVAL', 'write', 'namespaces'],
]

const ofRoot = [{ containerId: 0, hostId: 0, size: 1 }]
/** Of a process that has changed its user, as these do where root runs the tests, only root may open what /proc has. */
const notMine = isRoot ? (['EACCES', 'open', 'namespaces'] as const) : (['EPERM', 'write', 'namespaces'] as const)

/** What takes a privilege. */
const unprivileged: Row[] = [
  [{ uid: 1 }, 'EPERM', 'setgroups', 'groups'],
  [{ gid: 1 }, 'EPERM', 'setgroups', 'groups'],
  [{ groups: [] }, 'EPERM', 'setgroups', 'groups'],
  [{ nice: -20 }, 'EACCES', 'setpriority', 'nice'],
  [{ chroot: '/' }, 'EPERM', 'chroot', 'chroot'],
  [{ ambientCaps: ['net_bind_service'] }, 'EPERM', 'capset', 'caps'],
  [{ namespaces: ['pid'] }, 'EPERM', 'clone3', 'namespaces'],
  [{ namespaces: ['net', 'uts'] }, 'EPERM', 'clone3', 'namespaces'],
  [{ namespaces: ['time'] }, 'EPERM', 'clone3', 'namespaces'],
  [{ namespaces: ['mount'] }, 'EPERM', 'unshare', 'namespaces'],
  [{ rlimits: { rtprio: 99 } }, 'EPERM', 'prlimit64', 'rlimits'],
  [{ namespaces: ['user'], uidMappings: ofRoot }, ...notMine],
  [{ namespaces: ['user'], gidMappings: ofRoot }, ...notMine],
]

const isAs = (found: Failed, code: string, syscall: string, step: string) =>
  JSON.stringify([found.code, found.errno, found.syscall, found.step]) ===
  JSON.stringify([code, errnoOf(code), syscall, step])

const attempts = (options: object[], user?: number, env = {}, launcher: string[] = []) =>
  askParent<Attempt[]>('attempts.mjs', {
    launcher,
    args: [place, JSON.stringify(options), ...(user === undefined ? [] : [String(user)])],
    env: { ...process.env, ...env },
  })

async function fail(rows: Row[], user?: number, env = {}, launcher: string[] = []): Promise<string[]> {
  const made = await attempts(
    rows.map(([given]) => given),
    user,
    env,
    launcher,
  )
  return rows.flatMap(([given, code, syscall, step], index) => {
    const { spawn, output, outputSync, left } = made[index] as Attempt
    // As Node: what is an 'error' event says so in `syscall`, what is thrown does not.
    const called = code === 'EACCES' || code === 'ENOENT' ? 'spawn reporter' : 'spawn'
    const right =
      isAs(spawn, code, called, step) &&
      spawn.message?.includes(syscall) &&
      isAs(output, code, syscall, step) &&
      isAs(outputSync, code, syscall, step) &&
      JSON.stringify(left) === '{"fds":0,"children":0,"threads":0}'
    return right ? [] : [JSON.stringify({ given, spawn, output, outputSync, left })]
  })
}

for (const [how, env] of [
  ['', {}],
  [', by fork', { COMMAND_ROOT_FORK: '1' }],
] as const) {
  test.serial(`what nobody may${how}`, async (t) => t.deepEqual(await fail(always, undefined, env), []))

  testWhere(
    withUserNamespaces,
    `what nobody may in a user namespace${how}`,
    async (t) => {
      const rows = inUserNamespace.map(
        ([options, ...rest]) => [{ namespaces: ['user'], ...mapped, ...options }, ...rest] as Row,
      )
      t.deepEqual(await fail([...rows, ...maps], undefined, env), [])
    },
    test.serial,
  )

  test.serial(`what an ordinary user may not${how}`, async (t) => {
    t.deepEqual(await fail(unprivileged, isRoot ? other : undefined, env), [])
  })
}

/** Of a root who lacks one: what he may not, and how that is told. */
const withoutOne: Record<string, Row[]> = {
  setuid: [[{ uid: 1 }, 'EPERM', 'setresuid', 'setuid']],
  setgid: [
    [{ uid: 1 }, 'EPERM', 'setgroups', 'groups'],
    [{ gid: 1 }, 'EPERM', 'setgroups', 'groups'],
    [{ groups: [1] }, 'EPERM', 'setgroups', 'groups'],
  ],
  sys_chroot: [[{ chroot: place }, 'EPERM', 'chroot', 'chroot']],
  sys_admin: [
    [{ namespaces: ['net'] }, 'EPERM', 'clone3', 'namespaces'],
    [{ namespaces: ['mount'] }, 'EPERM', 'unshare', 'namespaces'],
  ],
  sys_nice: [[{ nice: -5 }, 'EACCES', 'setpriority', 'nice']],
  sys_resource: [[{ rlimits: { rtprio: 50 } }, 'EPERM', 'prlimit64', 'rlimits']],
  net_raw: [[{ ambientCaps: ['net_raw'] }, 'EPERM', 'capset', 'caps']],
}

/** What takes no more than one of them. */
const possible: [capability: string, options: object][] = [
  ['', {}],
  ['', { umask: 0, noNewPrivs: true, pgid: 0, pdeathsig: 9 }],
  ['setuid', { uid: 1 }],
  ['setgid', { gid: 1 }],
  ['sys_nice', { nice: -5 }],
  ['sys_admin', { namespaces: ['pid', 'net', 'ipc', 'uts', 'cgroup', 'mount', 'time'] }],
  ['net_raw', { ambientCaps: ['net_raw'] }],
]

const hasSetpriv = needs('setpriv(1)', spawnSync('setpriv', ['--version']).status === 0)

for (const [dropped, rows] of Object.entries(withoutOne)) {
  testWhere(
    asRoot ?? hasSetpriv,
    `root without ${dropped}`,
    async (t) => {
      const launcher = ['/usr/bin/env', 'setpriv', `--bounding-set=-${dropped}`]
      t.deepEqual(await fail(rows, undefined, {}, launcher), [])
      const others = possible.filter(
        ([needed, options]) => needed !== dropped && !('uid' in options && dropped === 'setgid'),
      )
      const ran = await attempts(
        others.map(([, options]) => options),
        undefined,
        {},
        launcher,
      )
      ran.forEach(({ spawn, output, outputSync, left }, index) => {
        const what = JSON.stringify(others[index])
        for (const { code } of [spawn, output, outputSync]) t.is(code, 'it ran and ended with 0', what)
        t.deepEqual(left, { fds: 0, children: 0, threads: 0 }, what)
      })
    },
    test.serial,
  )
}

testWhere(asRoot, 'an ordinary user’s own ids are no change', async (t) => {
  const [attempt] = await askParent<Attempt[]>('attempts.mjs', {
    args: [place, JSON.stringify([{ uid: other, gid: other }]), String(other)],
  })
  t.is(attempt?.output.code, 'it ran and ended with 0')
})

test('no controlling terminal', async (t) => {
  const [attempt] = await askParent<Attempt[]>('attempts.mjs', {
    launcher: ['setsid', '-w'].map((word) => (word === 'setsid' ? '/usr/bin/setsid' : word)),
    args: [place, JSON.stringify([{ foreground: true }])],
  })
  t.true(isAs(attempt?.output as Failed, 'ENXIO', 'open', 'foreground'), JSON.stringify(attempt))
})

/** A group of this test's own, where such can be made. */

testWhere(withGroups, 'a group that is not for this user, and one that is gone', async (t) => {
  const group = fs.mkdtempSync(path.join(hierarchy ?? '', 'command-root-'))
  t.teardown(() => {
    if (fs.existsSync(group)) fs.rmdirSync(group)
  })
  t.deepEqual(await fail([[{ cgroup: group }, 'EACCES', 'clone3', 'cgroup']], other), [])
  const held = fs.openSync(group, 'r')
  fs.rmdirSync(group)
  t.teardown(() => fs.closeSync(held))
  t.deepEqual(await fail([[{ cgroup: group }, 'ENOENT', 'open', 'cgroup']]), [])
})
