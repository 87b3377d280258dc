// The process that starts others is as it was: after any start, one that failed too, and after many at once.

import os from 'node:os'
import test from 'ava'
import { askParent } from './support/parents.ts'
import { hierarchy, mapped, openPlace, withUserNamespaces } from './support/privileges.ts'
import { isRoot } from './support/system.ts'

const place = openPlace()

/** What anybody may, what takes user namespaces, and what takes root. */
const anybody: object[] = [
  {},
  { umask: 0o77, detached: true },
  { pgid: 0, nice: 12, noNewPrivs: true },
  { cpuAffinity: [os.cpus().length - 1], rlimits: { nofile: 30, core: 0, nproc: 4000 } },
  { pdeathsig: 'SIGKILL', cwd: '/' },
  { closeFds: false },
]
const inUserNamespaces: object[] = [
  { namespaces: ['user', 'pid', 'net', 'mount', 'ipc', 'uts', 'cgroup'], ...mapped },
  { namespaces: ['user', 'time'], ...mapped, uid: 0, gid: 0 },
  { namespaces: ['user'], ...mapped, chroot: place, cwd: '/', ambientCaps: ['chown'] },
]
const ofRoot: object[] = [
  { uid: 65534, gid: 65534, groups: [7] },
  { uid: 65534, ambientCaps: ['net_raw'], nice: -7 },
  { namespaces: ['pid', 'net', 'mount', 'ipc', 'uts', 'cgroup', 'time'] },
  { chroot: place },
  ...(hierarchy ? [{ cgroup: hierarchy }] : []),
]
const failing: object[] = [
  { cwd: '/no/such/place', detached: true },
  { pgid: 2 ** 31 - 1, umask: 0 },
  { nice: 19, cpuAffinity: [8191] },
  { detached: true, ctty: 0, noNewPrivs: true },
]

const all = [...anybody, ...(withUserNamespaces ? [] : inUserNamespaces), ...(isRoot ? ofRoot : []), ...failing]

for (const [how, env] of [
  ['', {}],
  [', by fork', { COMMAND_ROOT_FORK: '1' }],
] as const) {
  test.serial(`nothing of the parent differs after every kind of start, many at once${how}`, async (t) => {
    const { differs, outcomes } = await askParent<{ differs: unknown[]; outcomes: string[] }>('unchanged.mjs', {
      args: [place, JSON.stringify(all)],
      env: { ...process.env, ...env },
    })
    t.deepEqual(differs, [])
    // The jail has no loader.
    const expected = [
      'ran',
      'ENOENT at exec',
      'ENOENT at chdir',
      'EPERM at setpgid',
      'EINVAL at affinity',
      'ENOTTY at ctty',
    ]
    t.deepEqual(
      outcomes.filter((outcome) => !expected.includes(outcome)),
      [],
    )
    t.true(outcomes.includes('ran'))
  })
}
