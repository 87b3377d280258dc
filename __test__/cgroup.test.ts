// cgroup: the child is born in it, or comes into it before its program runs.

import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commandRoot, openRoot } from 'command-root'
import { rejects } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import {
  asRoot,
  hierarchy,
  mapped,
  needs,
  openPlace,
  testWhere,
  withGroups,
  withUserNamespaces,
} from './support/privileges.ts'
import { without } from './support/programs.ts'
import { until } from './support/system.ts'
import { reports } from './support/ways.ts'

const place = openPlace()
const root = openRoot(place)

/** A group of this test's own, and its path as its members see it. */
function groupFor(t: ExecutionContext): { group: string; seen: string } {
  const group = fs.mkdtempSync(path.join(hierarchy ?? '', 'command-root-'))
  t.teardown(async () => {
    // Its last member may have been reaped, and not be gone.
    await until(() => !fs.readFileSync(path.join(group, 'cgroup.events'), 'utf8').includes('populated 1'))
    fs.rmdirSync(group)
  })
  return { group, seen: `/${path.basename(group)}` }
}

const own = () => /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1]

testWhere(withGroups, 'a path, a descriptor and a Root lead to the group', async (t) => {
  const { group, seen } = groupFor(t)
  using held = openRoot(group)
  const fd = fs.openSync(group, 'r')
  t.teardown(() => fs.closeSync(fd))
  const before = own()
  for (const cgroup of [group, path.relative(process.cwd(), group), fd, held]) {
    for (const [way, report] of await reports(root, { cgroup })) {
      t.is(report.cgroup, seen, `${way} ${typeof cgroup}`)
      t.is(report.fds.length, 3)
    }
  }
  t.is(own(), before)
})

testWhere(withGroups, 'the group is the root of a new cgroup namespace', async (t) => {
  const { group } = groupFor(t)
  for (const [way, report] of await reports(root, { cgroup: group, namespaces: ['cgroup'] }))
    t.is(report.cgroup, '/', way)
})

testWhere(withGroups ?? withUserNamespaces, 'with user, pid and cgroup namespaces', async (t) => {
  const { group } = groupFor(t)
  const options = { cgroup: group, namespaces: ['user', 'pid', 'cgroup'] as const, ...mapped }
  for (const [way, { cgroup, pid }] of await reports(root, options)) t.deepEqual([cgroup, pid], ['/', 1], way)
})

testWhere(withGroups, 'and another user', async (t) => {
  const { group, seen } = groupFor(t)
  for (const [way, { cgroup, uid }] of await reports(root, { cgroup: group, uid: 65534 }))
    t.deepEqual([cgroup, uid.split('\t')[0]], [seen, '65534'], way)
})

for (const refused of ['clone3', 'clone3,clone:pidfd=EINVAL']) {
  testWhere(withGroups, `the same by cgroup.procs, without ${refused}`, async (t) => {
    const { group, seen } = groupFor(t)
    const ask = (options: object) =>
      askParent<[string, string, number][]>('grouped.mjs', {
        launcher: [without, refused, '--'],
        args: [place, JSON.stringify({ cgroup: group, ...options })],
      })
    for (const row of await ask({})) t.deepEqual([row[0], row[2]], [seen, 3])
    for (const row of await ask({ namespaces: ['cgroup'] })) t.deepEqual([row[0], row[2]], ['/', 3])
    if (!withUserNamespaces)
      for (const row of await ask({ namespaces: ['user', 'pid', 'cgroup'], ...mapped })) t.is(row[0], '/')
  })
}

testWhere(
  withGroups,
  'a start in a frozen group comes to its end in time, and says where it stood',
  async (t) => {
    const { group } = groupFor(t)
    fs.writeFileSync(path.join(group, 'cgroup.freeze'), '1')
    const command = commandRoot(root, 'reporter', ['report'], { cgroup: group, timeout: 1000 })
    const error = await rejects(t, command.output(), 'ETIMEDOUT')
    t.truthy(error.step)
    await until(() => fs.readFileSync(path.join(group, 'cgroup.procs'), 'utf8') === '')
    fs.writeFileSync(path.join(group, 'cgroup.freeze'), '0')
    t.is((await command.output()).code, 0)
  },
  test.serial,
)

const counted =
  withGroups ??
  needs(
    'the pids controller in version 2',
    fs.readFileSync(path.join(hierarchy ?? '', 'cgroup.subtree_control'), 'utf8').includes('pids'),
  )

testWhere(counted, 'a group that has no room for a process', async (t) => {
  const { group } = groupFor(t)
  fs.writeFileSync(path.join(group, 'pids.max'), '0')
  const error = await rejects(t, commandRoot(root, 'reporter', [], { cgroup: group }).output(), 'EAGAIN')
  t.is(error.step, 'fork')
})

const old = '/sys/fs/cgroup/cpu'
const hasOld = needs('a cgroup v1', fs.existsSync(path.join(old, 'cgroup.procs')))

testWhere(asRoot ?? hasOld, 'a directory of version 1 is refused', async (t) => {
  const before = fs.readFileSync('/proc/self/cgroup', 'utf8')
  const error = await rejects(t, commandRoot(root, 'reporter', [], { cgroup: old }).output(), 'EBADF')
  t.deepEqual([error.step, error.syscall], ['cgroup', 'clone3'])
  t.is(fs.readFileSync('/proc/self/cgroup', 'utf8'), before)
})
