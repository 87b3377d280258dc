// The suite's core on kernels that lack things and in containers that refuse them: the same results everywhere, probe()
// tells the truth, and what cannot be done is refused by name.

import { spawnSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import type { probe } from 'command-root'
import { askParent } from './support/parents.ts'
import { programs, without } from './support/programs.ts'
import { isRoot, scratch } from './support/system.ts'

interface Core {
  results: Record<string, unknown>
  probe: ReturnType<typeof probe>
}

/** The core's script, run by these words before it: a descriptor that it did not ask for is open in it. */
const run = (t: ExecutionContext, launcher: readonly string[], env = {}): Promise<Core> =>
  askParent<Core>('core.mjs', {
    before: ['open', '77'],
    launcher,
    args: [programs, scratch(t)],
    env: { ...process.env, ...env },
  })

let first: Promise<Core> | undefined
/** What this kernel itself does. */
const natively = (t: ExecutionContext): Promise<Core> => {
  first ??= run(t, [])
  return first
}

const found = async (t: ExecutionContext) => (await natively(t)).probe

test.serial('this kernel itself', async (t) => {
  const { results } = await natively(t)
  t.is(results.zombies, 0)
  for (const [name, result] of Object.entries(results))
    if (result && typeof result === 'object' && 'leaves' in result) t.is(result.leaves, 0, name)
  t.deepEqual(results.run, {
    result: { status: { code: 3, signal: null, success: false }, pidfdAsProbed: true },
    leaves: 0,
  })
  t.deepEqual(results.descriptors, { three: [0, 1, 2], more: [0, 1, 2, 4], joined: [0, 1, 2] })
  const none = '0000000000000000'
  t.deepEqual(results.signals, { sigBlocked: none, sigIgnored: none, sigCaught: none })
  t.is(results.cwdInRoot, true)
  const codes = (name: string) => {
    const { code, step } = results[name] as { code: string; step: string }
    return [code, step]
  }
  t.deepEqual(codes('missing'), ['ENOENT', 'resolve'])
  t.deepEqual(codes('directory'), ['EACCES', 'open'])
  t.deepEqual(codes('notAProgram'), ['ENOEXEC', 'exec'])
  t.deepEqual(codes('heldScript'), ['ERR_SCRIPT_DENIED', 'exec'])
  t.deepEqual(codes('noLoader'), ['ENOENT', 'exec'])
  t.deepEqual(codes('noCwd'), ['ENOENT', 'chdir'])
  t.deepEqual(results.forkExec, [7, 7, 7, 7, 7, 7])
})

/** Two of them are a kernel before 5.2 as nearly as a filter can show it (see filter.rs). */
const NO_PIDFD = 'clone3,clone:pidfd=EINVAL,pidfd_open,pidfd_send_signal,waitid:pidfd=EINVAL'
const LINUX_4_18 = `openat2,${NO_PIDFD},close_range,faccessat2,epoll_pwait2,pidfd_getfd,io_uring_setup,landlock_create_ruleset`
/** The answers of container runtimes: clone3 is said not to be there, so that C libraries do without it. */
const CONTAINER =
  'openat2=EPERM,clone3,clone:pidfd=EPERM,pidfd_open=EPERM,pidfd_send_signal=EPERM,pidfd_getfd=EPERM,waitid:pidfd=EPERM,' +
  'close_range=EPERM,faccessat2=EPERM,execveat=EPERM,memfd_create=EPERM,unshare=EPERM,clone:newuser=EPERM'

type Lacks = readonly [name: string, refused: string, probe: Partial<ReturnType<typeof probe>>, env?: object]

const kernels: Lacks[] = [
  ['no openat2', 'openat2', { resolve: 'walk' }],
  ['no execveat', 'execveat', { exec: 'proc-fd', executeCheck: false }],
  ['execveat refused', 'execveat=EPERM', { exec: 'proc-fd', executeCheck: false }],
  ['no clone3', 'clone3', { cgroup: false }],
  ['no pidfd_send_signal', 'pidfd_send_signal', {}],
  ['no signals for groups by pidfd', 'pidfd_send_signal:group=EINVAL', {}],
  ['no waitid(P_PIDFD)', 'waitid:pidfd=EINVAL', { wait: 'waitid', pidfd: true }],
  ['no pidfds', NO_PIDFD, { wait: 'waitid', pidfd: false, cgroup: false }],
  [
    'no pidfds, fork',
    NO_PIDFD,
    { wait: 'waitid', pidfd: false, cgroup: false, fork: 'fork' },
    { COMMAND_ROOT_FORK: '1' },
  ],
  ['no close_range', 'close_range', {}],
  ['close_range refused', 'close_range=EPERM', {}],
  ['no memfd_create', 'memfd_create', { sealed: false }],
  ['Linux 4.18', LINUX_4_18, { resolve: 'walk', wait: 'waitid', pidfd: false, cgroup: false }],
  [
    'a container’s filter',
    CONTAINER,
    {
      resolve: 'walk',
      exec: 'proc-fd',
      executeCheck: false,
      wait: 'waitid',
      pidfd: false,
      cgroup: false,
      sealed: false,
      userNamespaces: false,
    },
  ],
]

/** What is refused there, and by what word. */
type Refusals = Record<string, RegExp>

const UNAVAILABLE = 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
const UNSEALED: Refusals = { sealed: /^seal .*memfd_create/, digest: /^seal .*memfd_create/ }

/** As natively, but for what is refused by name. */
async function isSame(t: ExecutionContext, { results }: Core, refusals: Refusals = {}, unseen: string[] = []) {
  const expected = { ...(await natively(t)).results }
  const left = { ...results }
  for (const name of unseen) {
    delete expected[name]
    delete left[name]
  }
  for (const [name, words] of Object.entries(refusals)) {
    const { code, message } = left[name] as { code: string; message: string }
    t.is(code, UNAVAILABLE, name)
    t.regex(message, words)
    delete expected[name]
    delete left[name]
  }
  t.deepEqual(left, expected)
}

for (const [name, refused, differs, env] of kernels) {
  test.serial(`the same on: ${name}`, async (t) => {
    const core = await run(t, [without, refused, '--'], env)
    const { attributes: all, ...native } = await found(t)
    const contained = differs.userNamespaces === false
    await isSame(t, core, differs.sealed === false ? UNSEALED : {}, contained ? ['namespaces'] : [])
    const { code, step } = core.results.namespaces as { code?: string; step?: string }
    if (contained) t.deepEqual([code, step], ['EPERM', 'namespaces'])
    const attributes = all.filter((name) => !contained || !/Mappings/.test(name))
    t.deepEqual(core.probe, { ...native, attributes, ...differs })
  })
}

// ---- without /proc ------------------------------------------------------------------------------------

/** Runs what follows in a mount namespace of its own, where /proc is covered by an empty directory. */
const covered = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh']
const coverable = isRoot && spawnSync(covered[0] ?? '', [...covered.slice(1), 'true']).status === 0

/**
 * An interpreter could not read its script, nor could id maps be written; and nobody can see there what signals a program
 * has, and all that it is.
 */
const isSameWithoutProc = (t: ExecutionContext, core: Core) =>
  isSame(t, core, { scriptByKernel: /^scripts /, scriptInRoot: /^scripts /, namespaces: /^uidMappings/ }, [
    'signals',
    'attributes',
  ])

const withoutProc = (name: string, act: (t: ExecutionContext) => Promise<void>) =>
  test.serial(name, async (t) => {
    if (coverable) return act(t)
    t.log('skipped: covering /proc takes root and unshare(1)')
    return t.pass()
  })

withoutProc('the same with /proc covered', async (t) => {
  const core = await run(t, ['/usr/bin/env', ...covered])
  await isSameWithoutProc(t, core)
  t.is(core.probe.exec, 'execveat')
})

withoutProc('the same with /proc covered, and no pidfds', async (t) => {
  await isSameWithoutProc(t, await run(t, [without, NO_PIDFD, '--', ...covered]))
})

withoutProc('the same with /proc covered, and no openat2', async (t) => {
  const core = await run(t, [without, 'openat2', '--', ...covered])
  await isSameWithoutProc(t, core)
  t.is(core.probe.resolve, 'walk')
})

withoutProc('neither execveat nor /proc: one clear error', async (t) => {
  for (const refused of ['execveat', 'execveat=EPERM']) {
    const { results, probe } = await run(t, [without, refused, '--', ...covered])
    t.is(probe.exec, 'none')
    const { message, ...error } = results.noLoader as Record<string, string>
    t.deepEqual(error, { name: 'CommandRootError', code: UNAVAILABLE, step: 'exec' })
    t.regex(message ?? '', /execve.*\/proc.*not available/)
  }
})

withoutProc('neither close_range nor /proc: each number up to the hard limit, or one clear error', async (t) => {
  const limited = (hard: number) => ['sh', '-c', `ulimit -n ${hard} && exec "$@"`, 'sh']
  const few = await run(t, [without, 'close_range', '--', ...covered, ...limited(1024)])
  await isSameWithoutProc(t, few)
  // A hard limit that cannot be told is one that is too high.
  const { results } = await run(t, [without, 'close_range,prlimit64', '--', ...covered])
  const { message, ...error } = results.noLoader as Record<string, string>
  t.deepEqual(error, { name: 'CommandRootError', code: UNAVAILABLE, step: 'fds' })
  t.regex(message ?? '', /closeFds.*close_range/)
})
