// Every ProcessAttribute, by every way of starting, as the child itself sees it.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'ava'
import { type CommandOptions, commandRoot, openRoot } from 'command-root'
import { askParent, runParent } from './support/parents.ts'
import {
  asRoot,
  gid,
  mapped,
  mayRaiseLimits,
  openPlace,
  testWhere,
  uid,
  withUserNamespaces,
} from './support/privileges.ts'
import { parseReport, type Report } from './support/programs.ts'
import { isAlive, scratch, until } from './support/system.ts'
import { reports, ways } from './support/ways.ts'

const place = openPlace()
const root = openRoot(place)

const ids = (text: string) => [...new Set(text.split('\t').map(Number))]
const groups = (report: Report) => report.groups.split(' ').filter(Boolean).map(Number)
const capability = (number: number) => (1n << BigInt(number)).toString(16).padStart(16, '0')
const own = (name: string) => fs.readlinkSync(`/proc/self/ns/${name}`)
const lastCpu = os.cpus().length - 1
const niceNow = os.getPriority()

type Row = [
  title: string,
  options: CommandOptions<undefined, undefined>,
  seen: (report: Report) => unknown,
  expected: unknown,
  lacking?: string | undefined,
]

const rows: Row[] = [
  // ---- identity
  ['uid', { uid: 65534 }, (r) => [ids(r.uid), ids(r.gid), groups(r)], [[65534], [gid], []], asRoot],
  ['gid', { gid: 65533 }, (r) => [ids(r.uid), ids(r.gid), groups(r)], [[uid], [65533], []], asRoot],
  [
    'uid and gid',
    { uid: 65534, gid: 65533 },
    (r) => [ids(r.uid), ids(r.gid), groups(r)],
    [[65534], [65533], []],
    asRoot,
  ],
  [
    'the highest ids',
    { uid: 2 ** 32 - 2, gid: 2 ** 32 - 2 },
    (r) => [ids(r.uid), ids(r.gid)],
    [[2 ** 32 - 2], [2 ** 32 - 2]],
    asRoot,
  ],
  ['groups', { groups: [7, 5, 2 ** 32 - 2] }, groups, [5, 7, 2 ** 32 - 2], asRoot],
  ['no groups', { groups: [] }, groups, [], asRoot],
  [
    'uid, gid and groups',
    { uid: 1, gid: 2, groups: [3] },
    (r) => [ids(r.uid), ids(r.gid), groups(r)],
    [[1], [2], [3]],
    asRoot,
  ],
  ['one’s own uid and gid', { uid, gid }, (r) => [ids(r.uid), ids(r.gid)], [[uid], [gid]]],
  [
    'uid leaves no capability',
    { uid: 65534 },
    (r) => [r.caps.CapPrm, r.caps.CapEff, r.caps.CapInh, r.caps.CapAmb],
    Array(4).fill(capability(64).slice(1)),
    asRoot,
  ],
  [
    'ambientCaps',
    { uid: 65534, ambientCaps: ['net_bind_service', 'CAP_Chown'] },
    (r) => [r.caps.CapPrm, r.caps.CapEff, r.caps.CapInh, r.caps.CapAmb],
    Array(4).fill('0000000000000401'),
    asRoot,
  ],
  [
    'ambientCaps beyond 32',
    { uid: 65534, ambientCaps: ['checkpoint_restore'] },
    (r) => r.caps.CapAmb,
    capability(40),
    asRoot,
  ],
  [
    'ambientCaps of one’s own',
    { ambientCaps: ['kill'] },
    (r) => [r.caps.CapAmb, r.caps.CapInh],
    ['0000000000000020', '0000000000000020'],
    asRoot,
  ],
  ['no ambientCaps', { ambientCaps: [] }, (r) => r.caps.CapAmb, '0000000000000000'],
  ['noNewPrivs', { noNewPrivs: true }, (r) => r.noNewPrivs, '1'],
  ['noNewPrivs with uid', { noNewPrivs: true, uid: 1 }, (r) => [r.noNewPrivs, ids(r.uid)], ['1', [1]], asRoot],
  // ---- limits and priority
  ['umask', { umask: 0o027 }, (r) => r.umask, 0o027],
  ['umask 0', { umask: 0 }, (r) => r.umask, 0],
  ['umask 0777', { umask: 0o777 }, (r) => r.umask, 0o777],
  ['nice, lower', { nice: 7 }, (r) => r.nice, 7],
  ['nice, lowest', { nice: 19 }, (r) => r.nice, 19],
  ['nice as it is', { nice: niceNow }, (r) => r.nice, niceNow],
  ['nice, higher', { nice: -5 }, (r) => r.nice, -5, asRoot],
  ['nice, higher, with uid', { nice: -20, uid: 65534 }, (r) => [r.nice, ids(r.uid)], [-20, [65534]], asRoot],
  ['cpuAffinity', { cpuAffinity: [lastCpu] }, (r) => r.cpus, String(lastCpu)],
  ['cpuAffinity of all', { cpuAffinity: os.cpus().map((_, i) => i) }, (r) => r.cpus, lastCpu ? `0-${lastCpu}` : '0'],
  // ---- session, group, death
  ['detached', { detached: true }, (r) => [r.sid, r.pgid], (r: Report) => [r.pid, r.pid]],
  ['pgid 0', { pgid: 0 }, (r) => [r.sid === r.pid, r.pgid], (r: Report) => [false, r.pid]],
  ['pdeathsig', { pdeathsig: 'SIGUSR1' }, (r) => r.pdeathsig, os.constants.signals.SIGUSR1],
  [
    'pdeathsig survives setuid',
    { pdeathsig: 'SIGKILL', uid: 65534, gid: 65534 },
    (r) => [r.pdeathsig, ids(r.uid)],
    [9, [65534]],
    asRoot,
  ],
  // ---- namespaces
  ...(['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const).map(
    (name): Row => [
      `the namespace '${name}'`,
      name === 'user' ? { namespaces: ['user'] } : { namespaces: ['user', name], ...mapped },
      (r) => [r.namespaces[name] === own(name), r.namespaces.user === own('user')],
      [false, false],
      withUserNamespaces,
    ],
  ),
  [
    "the namespace 'mount'",
    { namespaces: ['user', 'mount'], ...mapped },
    (r) => r.namespaces.mnt === own('mnt'),
    false,
    withUserNamespaces,
  ],
  ...(['pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const).map(
    (name): Row => [
      `the namespace '${name}' of root’s own`,
      { namespaces: [name] },
      (r) => [r.namespaces[name] === own(name), r.namespaces.user === own('user')],
      [false, true],
      asRoot,
    ],
  ),
  [
    'the first of a pid namespace',
    { namespaces: ['user', 'pid'], ...mapped },
    (r) => [r.pid, r.ppid],
    [1, 0],
    withUserNamespaces,
  ],
  ['mapped ids', { namespaces: ['user'], ...mapped }, (r) => [ids(r.uid), ids(r.gid)], [[0], [0]], withUserNamespaces],
  ['ids that are not mapped', { namespaces: ['user'] }, (r) => ids(r.uid), [65534], withUserNamespaces],
  [
    'mapped and taken',
    { namespaces: ['user'], ...mapped, uid: 0, gid: 0 },
    (r) => [ids(r.uid), ids(r.gid)],
    [[0], [0]],
    withUserNamespaces,
  ],
  [
    'mapped under another number',
    { namespaces: ['user'], uidMappings: [{ containerId: 5, hostId: uid, size: 1 }] },
    (r) => ids(r.uid),
    [5],
    withUserNamespaces,
  ],
  [
    'ranges of ids, and groups there',
    {
      namespaces: ['user'],
      uidMappings: [{ containerId: 0, hostId: 100_000, size: 1000 }],
      gidMappings: [{ containerId: 0, hostId: 200_000, size: 1000 }],
      gidMappingsEnableSetgroups: true,
      uid: 5,
      gid: 6,
      groups: [7],
    },
    (r) => [ids(r.uid), ids(r.gid), groups(r)],
    [[5], [6], [7]],
    asRoot ?? withUserNamespaces,
  ],
  [
    'all namespaces at once',
    { namespaces: ['user', 'pid', 'net', 'mount', 'ipc', 'uts', 'cgroup', 'time'], ...mapped },
    (r) => Object.entries(r.namespaces).filter(([name, link]) => link === own(name)),
    [],
    withUserNamespaces,
  ],
  // What nobody inside a user namespace may do, its maker may.
  [
    'a higher priority with a user namespace',
    { namespaces: ['user'], ...mapped, nice: -3 },
    (r) => r.nice,
    -3,
    asRoot ?? withUserNamespaces,
  ],
  [
    'everything with a user namespace',
    {
      namespaces: ['user', 'pid'],
      ...mapped,
      umask: 0o77,
      nice: 9,
      noNewPrivs: true,
      pgid: 0,
      pdeathsig: 9,
      rlimits: { nofile: 99 },
    },
    (r) => [r.umask, r.nice, r.noNewPrivs, r.pgid, r.pdeathsig, r.limits.nofile],
    [0o77, 9, '1', 1, 9, [99, 99]],
    withUserNamespaces,
  ],
]

for (const [title, options, seen, expected, lacking] of rows) {
  testWhere(lacking, `seen by the child: ${title}`, async (t) => {
    for (const [way, report] of await reports(root, options)) {
      const wanted: unknown = typeof expected === 'function' ? (expected as (r: Report) => unknown)(report) : expected
      t.deepEqual(seen(report), wanted, way)
      t.deepEqual(
        report.fds.map(({ fd }) => fd),
        [0, 1, 2],
        way,
      )
    }
  })
}

// ---- resource limits ---------------------------------------------------------------------------------

const limitNames =
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ')

for (const name of limitNames as (keyof Report['limits'])[]) {
  test(`seen by the child: the limit '${name}'`, async (t) => {
    const [, now] = (await reports(root, {}))[0]?.[1].limits[name] ?? []
    const most = typeof now === 'number' ? now : Number.POSITIVE_INFINITY
    // Enough for the reporter to run.
    const some = {
      as: 2 ** 36,
      stack: 2 ** 23,
      data: 2 ** 30,
      fsize: 2 ** 30,
      rttime: 1e9,
      nproc: 5000,
      nofile: 99,
      cpu: 600,
    }
    const enough = name in some ? some[name as keyof typeof some] : 3
    const [soft, hard] = [Math.min(enough, most), Math.min(enough * 2, most)]
    for (const [given, expected] of [
      [soft, [soft, soft]],
      [{ soft, hard }, [soft, hard]],
    ] as const) {
      for (const [way, { limits }] of await reports(root, { rlimits: { [name]: given } }))
        t.deepEqual(limits[name], expected as never, way)
    }
  })
}

test('a limit of none is told as such', async (t) => {
  for (const [way, { limits }] of await reports(root, { rlimits: { rss: 'unlimited' } }))
    t.deepEqual(limits.rss, ['unlimited', 'unlimited'], way)
})

testWhere(mayRaiseLimits, 'hard limits are raised while it is allowed: before setuid', async (t) => {
  const rlimits = { memlock: 'unlimited', nice: { soft: 40, hard: 40 }, nofile: { soft: 64, hard: 30_000 } } as const
  for (const [way, { limits }] of await reports(root, { uid: 65534, rlimits }))
    t.deepEqual(
      [limits.memlock, limits.nice, limits.nofile],
      [
        ['unlimited', 'unlimited'],
        [40, 40],
        [64, 30_000],
      ],
      way,
    )
})

testWhere(mayRaiseLimits ?? withUserNamespaces, 'hard limits are raised from outside a user namespace', async (t) => {
  const rlimits = { memlock: 'unlimited', nofile: 30_000 } as const
  for (const [way, { limits }] of await reports(root, { namespaces: ['user'], ...mapped, rlimits }))
    t.deepEqual(
      [limits.memlock, limits.nofile],
      [
        ['unlimited', 'unlimited'],
        [30_000, 30_000],
      ],
      way,
    )
})

test('RLIMIT_NOFILE is set when the descriptors have been moved', async (t) => {
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'ignore', ...Array<'ignore'>(40).fill('ignore'), 'pipe']
  const child = commandRoot(root, 'reporter', ['to', '43', 'report'], { rlimits: { nofile: 43 }, stdio }).spawn()
  let said = ''
  for await (const chunk of (child.stdio as readonly unknown[])[43] as AsyncIterable<Buffer>) said += chunk
  await child.status
  const { fds, limits } = parseReport(said)
  t.deepEqual(limits.nofile, [43, 43])
  t.deepEqual(
    fds.map(({ fd }) => fd),
    [0, 1, 2, 43],
  )
})

// ---- groups, terminals ---------------------------------------------------------------------------------

test('pgid joins a group that is there', async (t) => {
  const leader = commandRoot(root, 'reporter', ['cat'], { pgid: 0 }).spawn()
  for (const [way, { pgid }] of await reports(root, { pgid: leader.pid ?? -1 })) t.is(pgid, leader.pid ?? 0, way)
  leader.stdin.end()
  await leader.status
})

const terminals = (before: string[], options: object) =>
  askParent<Record<string, Report & { error?: object }>>('terminal.mjs', {
    before,
    args: [place, JSON.stringify(options)],
  })

test('ctty: the session’s terminal', async (t) => {
  const stdio = [30, 'pipe', 30]
  const found = await terminals(['pty', '30'], { detached: true, ctty: 0, stdio })
  t.deepEqual(Object.keys(found), ['spawn', 'output', 'outputSync'])
  for (const [way, report] of Object.entries(found)) {
    t.deepEqual([report.sid, report.tty], [report.pid, report.pid], way)
    t.regex(report.fds[0]?.target ?? '', /^\/dev\/pts\//)
  }
})

test('ctty beyond the standard streams', async (t) => {
  const found = await terminals(['pty', '30'], {
    detached: true,
    ctty: 4,
    stdio: ['ignore', 'pipe', 'ignore', 'ignore', 30],
  })
  for (const [way, report] of Object.entries(found))
    t.deepEqual([report.sid, report.tty], [report.pid, report.pid], way)
})

test('foreground: the child’s group is in front of this process’s terminal', async (t) => {
  for (const options of [
    { foreground: true },
    { foreground: true, pgid: 0 },
    { foreground: true, killScope: 'group' },
  ]) {
    const found = await terminals(['pty', '30', 'session', '30'], options)
    for (const [way, report] of Object.entries(found)) {
      t.deepEqual([report.pgid, report.tty], [report.pid, report.pid], `${way} ${JSON.stringify(options)}`)
      t.not(report.sid, report.pid)
    }
  }
  const found = await terminals(['pty', '30', 'session', '30'], {})
  for (const report of Object.values(found)) t.not(report.tty, report.pid)
})

// ---- the end of the parent -----------------------------------------------------------------------------

for (const way of ['spawn', 'output', 'outputSync', 'lines']) {
  test(`pdeathsig ends the child with its parent, and not before: ${way}`, async (t) => {
    const { stdout, signal, stderr } = await runParent('dies-with.mjs', { args: [place, way] })
    t.is(signal, 'SIGKILL', stderr)
    const { pid, lived } = JSON.parse(stdout) as { pid: number; lived: boolean }
    t.true(lived)
    await until(() => !isAlive(pid))
    t.pass()
  })
}

// ---- mounts ----------------------------------------------------------------------------------------------

testWhere(
  withUserNamespaces,
  'a new mount namespace: its mounts are seen by nobody else, and its directory is inside',
  async (t) => {
    const directory = scratch(t)
    using bin = openRoot('/', { resolve: 'in-root' })
    const script = 'mount -t tmpfs none . && cd "$PWD" && touch inside && ls'
    for (const cwd of [
      directory,
      openRoot(directory),
      { root: openRoot(path.dirname(directory)), path: path.basename(directory) },
    ]) {
      const options = { namespaces: ['user', 'mount'] as const, ...mapped, cwd, argv0: 'sh' }
      for (const [way, start] of Object.entries(ways)) {
        t.is(await start(bin, 'bin/sh', ['-c', script], options), way === 'lines' ? 'inside' : 'inside\n', way)
        t.deepEqual(fs.readdirSync(directory), [])
        t.false(fs.readFileSync('/proc/self/mounts', 'utf8').includes(directory))
      }
    }
  },
)

// ---- where it begins -------------------------------------------------------------------------------------

for (const [title, options, lacking] of [
  ['another user', { uid: 65534, gid: 65534 }, asRoot],
  ['a new mount namespace', { namespaces: ['user', 'mount'], ...mapped }, withUserNamespaces],
  ['nothing else', {}, undefined],
] as const) {
  testWhere(lacking, `the directory of this process is inherited, whoever may enter it: ${title}`, async (t) => {
    const directory = path.join(scratch(t), 'closed')
    const found = await askParent<unknown[]>('inherited-cwd.mjs', { args: [place, directory, JSON.stringify(options)] })
    t.deepEqual(found, [true, true, true])
  })
}

// ---- the first process of a pid namespace ------------------------------------------------------------------

const first = { namespaces: ['user', 'pid'], ...mapped } as const

testWhere(
  withUserNamespaces,
  'the first of a pid namespace is ended by SIGKILL, and all that it has started with it',
  async (t) => {
    const words = ['hold', '60000', 'sleep', '60000']
    const timedOut = await commandRoot(root, 'reporter', words, { ...first, timeout: 1000 }).output()
    t.deepEqual([timedOut.timedOut, timedOut.signal], [true, 'SIGKILL'])

    const controller = new AbortController()
    const aborted = commandRoot(root, 'reporter', words, { ...first, signal: controller.signal }).output()
    setTimeout(() => controller.abort(), 300)
    const error = await aborted.catch((reason: { output?: { signal: string } }) => reason)
    t.is((error as { output?: { signal: string } }).output?.signal, 'SIGKILL')

    const disposed = commandRoot(root, 'reporter', ['sleep', '60000'], first).spawn()
    await disposed[Symbol.asyncDispose]()
    t.is((await disposed.status).signal, 'SIGKILL')

    // It does not hear SIGTERM.
    const forced = await commandRoot(root, 'reporter', ['sleep', '60000'], {
      ...first,
      timeout: 1000,
      killSignal: 'SIGTERM',
      forceKillAfter: 200,
    }).output()
    t.is(forced.signal, 'SIGKILL')
  },
  test.serial,
)
