// Every option: what is refused, with which code, naming what.

import { spawn } from 'node:child_process'
import { inspect } from 'node:util'
import test from 'ava'
import { type CommandOptions, commandRoot, openRoot, probe } from 'command-root'
import { type Options, thrown } from './support/compare.ts'
import { type Coded, refuses, untyped } from './support/fail.ts'
import { programs, reporter } from './support/programs.ts'
import { childrenOf, openDescriptors } from './support/system.ts'

const root = openRoot(programs)
const make = (options: unknown) => untyped.commandRoot(root, 'reporter', [], options)

/** Options that work, each with a value. */
const now = {
  cwd: '/',
  env: {},
  clearEnv: true,
  argv0: 'x',
  stdio: 'pipe',
  input: 'x',
  encoding: 'utf8',
  maxBuffer: 1024,
  overflow: 'discard',
  check: true,
  signal: new AbortController().signal,
  timeout: 1000,
  killSignal: 'SIGKILL',
  shell: false,
  windowsHide: true,
  windowsVerbatimArguments: true,
  seal: true,
  scripts: 'kernel',
  forceKillAfter: 1000,
  waitDelay: 1000,
  killScope: 'group',
}

/** Attributes, each with a value that works alone or with these others. */
const attributes: Record<string, { value: unknown; with?: object }> = {
  uid: { value: 1 },
  gid: { value: 2 ** 32 - 2 },
  groups: { value: [] },
  umask: { value: 0o22 },
  detached: { value: true },
  pgid: { value: 0 },
  ctty: { value: 0, with: { detached: true } },
  foreground: { value: true },
  pdeathsig: { value: 'SIGKILL' },
  rlimits: { value: { nofile: 64, core: 'unlimited', cpu: { soft: 1, hard: 'unlimited' } } },
  nice: { value: -20 },
  cpuAffinity: { value: [0, 8191] },
  noNewPrivs: { value: true },
  closeFds: { value: false },
  chroot: { value: root },
  namespaces: { value: ['user', 'pid', 'net', 'mount', 'ipc', 'uts', 'cgroup', 'time'] },
  uidMappings: { value: [{ containerId: 0, hostId: 0, size: 1 }], with: { namespaces: ['user'] } },
  gidMappings: { value: [{ containerId: 0, hostId: 0, size: 1 }], with: { namespaces: ['user'] } },
  gidMappingsEnableSetgroups: {
    value: true,
    with: { namespaces: ['user'], gidMappings: [{ containerId: 0, hostId: 0, size: 1 }] },
  },
  ambientCaps: { value: ['net_bind_service', 'CAP_SYS_ADMIN'] },
  cgroup: { value: '/sys/fs/cgroup' },
}

test('every option that works is taken, and undefined is absent everywhere', (t) => {
  for (const [name, value] of Object.entries(now)) t.notThrows(() => make({ [name]: value }), name)
  for (const name of [...Object.keys(now), ...Object.keys(attributes)]) {
    t.is(make({ [name]: undefined }).name, 'reporter', name)
  }
  t.is(make(undefined).name, 'reporter')
})

test('every attribute is taken, and what it asks for is shown', (t) => {
  t.deepEqual(Object.keys(attributes).sort(), [...probe().attributes].sort())
  for (const [name, { value, with: others }] of Object.entries(attributes)) {
    const { options } = make({ [name]: value, ...others })
    t.deepEqual(options[name as keyof CommandOptions], value as never, name)
    t.true(Object.isFrozen(options[name as keyof CommandOptions]) || typeof value !== 'object' || name === 'chroot')
  }
})

test('values that ask for nothing are taken', (t) => {
  for (const options of [{ closeFds: true }, { noNewPrivs: false }, { foreground: false }, { namespaces: [] }]) {
    t.is(commandRoot(root, 'reporter', ['exit', '3'], options as CommandOptions).outputSync().code, 3)
  }
})

test('an option misspelt by one letter names the right one', (t) => {
  for (const name of [...Object.keys(now), ...Object.keys(attributes)]) {
    for (const misspelt of [name.slice(0, -1), `${name}x`, `${name.slice(0, -2)}${name.at(-1)}${name.at(-2)}`]) {
      if (misspelt === name) continue
      const error = refuses(t, () => make({ [misspelt]: true }), 'ERR_INVALID_ARG_VALUE', [misspelt], misspelt)
      t.regex(error.message, new RegExp(`\\b${name}\\b`), `${misspelt} is ${name}: ${error.message}`)
      t.true(error instanceof TypeError)
    }
  }
})

test('a name unlike any other is refused too, whatever its value', (t) => {
  for (const name of ['landlock', 'seccomp', 'network', 'terminal', 'zzzzzzzzzz', '__proto__x', 'ipc', 'slient', '']) {
    for (const value of [true, false, null, 0]) {
      t.true(refuses(t, () => make({ [name]: value }), 'ERR_INVALID_ARG_VALUE', [name], name) instanceof TypeError)
    }
  }
})

test('wrong values are refused as child_process refuses them', (t) => {
  for (const [name, value] of [
    ['cwd', 7],
    ['cwd', true],
    ['cwd', '/usr\0'],
    ['cwd', new URL('http://example.test')],
    ['argv0', 7],
    ['argv0', 'a\0b'],
    ['env', { A: 'x\0y' }],
    ['env', { 'A\0': 'x' }],
    ['stdio', 'bad'],
    ['stdio', 7],
    ['stdio', [{}]],
    ['stdio', [true]],
    ['stdio', [Symbol('x')]],
    ['detached', 'yes'],
    ['detached', 1],
    ['signal', {}],
    ['signal', null],
    ['signal', 'SIGTERM'],
    ['timeout', -1],
    ['timeout', 1.5],
    ['timeout', Number.NaN],
    ['timeout', Number.POSITIVE_INFINITY],
    ['killSignal', 'SIGNOPE'],
    ['killSignal', 4711],
    ['killSignal', {}],
    ['killSignal', true],
    ['windowsHide', 'yes'],
    ['windowsVerbatimArguments', 7],
    ['shell', 7],
  ] as const) {
    const options = { [name]: value }
    // A child that child_process starts after all would show that it takes the value.
    const nodes = thrown(() => spawn(reporter, ['exit', '0'], options as unknown as Options as object)) as Coded
    const what = `${name}: ${inspect(value)}`
    t.truthy(nodes, `${what} is refused by child_process`)
    const ours = refuses(t, () => make(options), nodes.code, nodes.message.includes(name) ? [name] : [], what)
    t.is(ours.name, nodes.name, what)
    t.true(String(ours).includes(`[${nodes.code}]`), what)
  }
})

test('wrong values of options that child_process does not check, or does not have', (t) => {
  for (const [name, value, code] of [
    ['cwd', {}, 'ERR_INVALID_ARG_TYPE'],
    ['cwd', { root }, 'ERR_INVALID_ARG_TYPE'],
    ['cwd', { root: '/usr', path: 'bin' }, 'ERR_INVALID_ARG_TYPE'],
    ['cwd', { root, path: 7 }, 'ERR_INVALID_ARG_TYPE'],
    ['cwd', { root, path: 'a\0' }, 'ERR_INVALID_ARG_VALUE'],
    ['env', 'A=1', 'ERR_INVALID_ARG_TYPE'],
    ['env', 7, 'ERR_INVALID_ARG_TYPE'],
    ['env', ['A=1'], 'ERR_INVALID_ARG_TYPE'],
    ['clearEnv', 'yes', 'ERR_INVALID_ARG_TYPE'],
    ['clearEnv', 1, 'ERR_INVALID_ARG_TYPE'],
    ['stdio', ['pipe', 'pipe', 'pipe', 'ipc'], 'ERR_INVALID_ARG_VALUE'],
    ['stdio', 'ipc', 'ERR_INVALID_ARG_VALUE'],
    ['stdio', 'stdout', 'ERR_INVALID_ARG_VALUE'],
    ['stdio', ['bad'], 'ERR_INVALID_ARG_VALUE'], // child_process: ERR_INVALID_SYNC_FORK_INPUT, an accident
    ['stdio', ['stdout'], 'ERR_INVALID_ARG_VALUE'],
    ['stdio', ['pipe', 'stdout'], 'ERR_INVALID_ARG_VALUE'],
    ['stdio', ['pipe', 'pipe', 'stderr'], 'ERR_INVALID_ARG_VALUE'],
    ['timeout', '1', 'ERR_INVALID_ARG_TYPE'], // child_process: ERR_OUT_OF_RANGE, whatever the type
    ['input', 7, 'ERR_INVALID_ARG_TYPE'],
    ['input', {}, 'ERR_INVALID_ARG_TYPE'],
    ['input', ['x'], 'ERR_INVALID_ARG_TYPE'],
    ['input', new ArrayBuffer(1), 'ERR_INVALID_ARG_TYPE'],
    ['encoding', 'utf-7', 'ERR_INVALID_ARG_VALUE'],
    ['encoding', 7, 'ERR_INVALID_ARG_TYPE'],
    ['maxBuffer', -1, 'ERR_OUT_OF_RANGE'],
    ['maxBuffer', Number.NaN, 'ERR_OUT_OF_RANGE'],
    ['maxBuffer', '1', 'ERR_INVALID_ARG_TYPE'],
    ['overflow', 'drop', 'ERR_INVALID_ARG_VALUE'],
    ['overflow', 7, 'ERR_INVALID_ARG_TYPE'],
    ['check', 1, 'ERR_INVALID_ARG_TYPE'],
    ['killSignal', 1.5, 'ERR_UNKNOWN_SIGNAL'],
    ['killSignal', -1, 'ERR_UNKNOWN_SIGNAL'],
    ['shell', true, 'ERR_INVALID_ARG_VALUE'],
    ['shell', '/bin/sh', 'ERR_INVALID_ARG_VALUE'],
    ['serialization', 'json', 'ERR_INVALID_ARG_VALUE'],
    ['killScope', 'session', 'ERR_INVALID_ARG_VALUE'],
    ['scripts', 'allow', 'ERR_INVALID_ARG_VALUE'],
    ['seal', 'yes', 'ERR_INVALID_ARG_TYPE'],
    ['uid', '0', 'ERR_INVALID_ARG_TYPE'],
    ['uid', -1, 'ERR_OUT_OF_RANGE'],
    ['uid', 2 ** 32 - 1, 'ERR_OUT_OF_RANGE'],
    ['gid', 1.5, 'ERR_OUT_OF_RANGE'],
    ['groups', 0, 'ERR_INVALID_ARG_TYPE'],
    ['groups', [2 ** 32 - 1], 'ERR_OUT_OF_RANGE'],
    ['umask', '022', 'ERR_INVALID_ARG_TYPE'],
    ['umask', 0o1777, 'ERR_OUT_OF_RANGE'],
    ['pgid', -1, 'ERR_OUT_OF_RANGE'],
    ['ctty', '0', 'ERR_INVALID_ARG_TYPE'],
    ['foreground', 1, 'ERR_INVALID_ARG_TYPE'],
    ['pdeathsig', 'SIGNOPE', 'ERR_UNKNOWN_SIGNAL'],
    ['pdeathsig', true, 'ERR_INVALID_ARG_TYPE'],
    ['rlimits', [], 'ERR_INVALID_ARG_TYPE'],
    ['rlimits', { nofiles: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['rlimits', { nofile: -1 }, 'ERR_OUT_OF_RANGE'],
    ['rlimits', { nofile: 2 ** 53 }, 'ERR_OUT_OF_RANGE'],
    ['rlimits', { nofile: 'infinity' }, 'ERR_INVALID_ARG_VALUE'],
    ['rlimits', { nofile: { soft: 1 } }, 'ERR_INVALID_ARG_TYPE'],
    ['rlimits', { nofile: { soft: 2, hard: 1 } }, 'ERR_OUT_OF_RANGE'],
    ['rlimits', { nofile: { soft: 'unlimited', hard: 1 } }, 'ERR_OUT_OF_RANGE'],
    ['rlimits', { nofile: null }, 'ERR_INVALID_ARG_TYPE'],
    ['nice', 20, 'ERR_OUT_OF_RANGE'],
    ['nice', -21, 'ERR_OUT_OF_RANGE'],
    ['cpuAffinity', [], 'ERR_INVALID_ARG_VALUE'],
    ['cpuAffinity', [8192], 'ERR_OUT_OF_RANGE'],
    ['cpuAffinity', 0, 'ERR_INVALID_ARG_TYPE'],
    ['noNewPrivs', 'yes', 'ERR_INVALID_ARG_TYPE'],
    ['closeFds', 0, 'ERR_INVALID_ARG_TYPE'],
    ['chroot', 7, 'ERR_INVALID_ARG_TYPE'],
    ['chroot', '', 'ERR_INVALID_ARG_VALUE'],
    ['chroot', 'a\0', 'ERR_INVALID_ARG_VALUE'],
    ['namespaces', 'user', 'ERR_INVALID_ARG_TYPE'],
    ['namespaces', ['mnt'], 'ERR_INVALID_ARG_VALUE'],
    ['uidMappings', [{ containerId: 0, hostId: 0 }], 'ERR_INVALID_ARG_TYPE'],
    ['uidMappings', [{ containerId: 0, hostId: 0, size: 0 }], 'ERR_OUT_OF_RANGE'],
    ['gidMappings', [{ containerId: 0, hostId: 0, size: 1, count: 1 }], 'ERR_INVALID_ARG_VALUE'],
    ['gidMappingsEnableSetgroups', 'yes', 'ERR_INVALID_ARG_TYPE'],
    ['ambientCaps', ['net_bind'], 'ERR_INVALID_ARG_VALUE'],
    ['ambientCaps', [10], 'ERR_INVALID_ARG_TYPE'],
    ['cgroup', -1, 'ERR_OUT_OF_RANGE'],
    ['cgroup', {}, 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    // Node names the signal, not the option.
    const words = code === 'ERR_UNKNOWN_SIGNAL' ? [String(value)] : [name]
    refuses(t, () => make({ [name]: value }), code, words, `${name}: ${String(value)}`)
  }
})

test('null is absent where child_process has the option', (t) => {
  for (const name of [
    'cwd',
    'env',
    'argv0',
    'stdio',
    'detached',
    'timeout',
    'killSignal',
    'shell',
    'windowsHide',
    'uid',
    'gid',
  ]) {
    t.is(
      thrown(() => spawn(reporter, ['exit', '0'], { [name]: null } as object)),
      undefined,
      `child_process takes ${name}: null`,
    )
    t.notThrows(() => make({ [name]: null }), name)
  }
  t.is(commandRoot(root, 'reporter', ['exit', '3'], { cwd: null } as unknown as CommandOptions).outputSync().code, 3)
})

test('options that are no object are refused', (t) => {
  for (const options of [7, 'pipe', true, () => {}, ['pipe'], Symbol('x')]) {
    refuses(t, () => make(options), 'ERR_INVALID_ARG_TYPE', ['options'], String(options))
  }
})

test('attributes that do not go together are refused, naming the option', (t) => {
  using other = openRoot('/')
  const map = [{ containerId: 0, hostId: 0, size: 1 }]
  const under = root.openRoot('.')
  for (const [name, options, code = 'ERR_INVALID_ARG_VALUE'] of [
    ['pgid', { pgid: 0, detached: true }],
    ['pgid', { pgid: 7, killScope: 'group' }],
    ['pgid', { pgid: 7, namespaces: ['pid'] }],
    ['foreground', { foreground: true, detached: true }],
    ['foreground', { foreground: true, ctty: 0 }],
    ['ctty', { ctty: 0 }],
    ['ctty', { ctty: 3, detached: true }, 'ERR_OUT_OF_RANGE'],
    ['ctty', { ctty: 4, detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ignore'] }, 'ERR_OUT_OF_RANGE'],
    ['uidMappings', { uidMappings: map }],
    ['uidMappings', { uidMappings: map, namespaces: ['pid'] }],
    ['gidMappings', { gidMappings: map }],
    ['gidMappingsEnableSetgroups', { gidMappingsEnableSetgroups: true, namespaces: ['user'] }],
    ['killSignal', { killSignal: 'SIGTERM', namespaces: ['pid'] }],
    ['cwd', { chroot: '/', cwd: root }],
    ['cwd', { chroot: root, cwd: other }],
    ['cwd', { chroot: root, cwd: { root: other, path: 'x' } }],
    ['cwd', { chroot: root, cwd: under, namespaces: ['mount'] }],
  ] as [string, object, string?][]) {
    refuses(t, () => make(options), code, [`options.${name}`], JSON.stringify(Object.keys(options)))
  }
  for (const options of [
    { killSignal: 'SIGKILL', namespaces: ['pid'] },
    { killSignal: 'SIGTERM', namespaces: ['pid'], forceKillAfter: 100 },
    { chroot: root, cwd: under },
    { chroot: root, cwd: { root: under, path: 'x' } },
    { chroot: root, cwd: root, namespaces: ['mount'] },
    { chroot: '/', cwd: '/', namespaces: ['mount'] },
    { pgid: 0, killScope: 'group' },
    { pgid: 0, foreground: true },
    { ctty: 3, detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ignore'] },
  ]) {
    t.notThrows(() => make(options), JSON.stringify(Object.keys(options)))
  }
  under.close()
})

test('options that do not go together are refused when they would be used', async (t) => {
  const withInput = commandRoot(root, 'reporter', [], { input: 'x' })
  refuses(t, () => withInput.spawn(), 'ERR_INVALID_ARG_VALUE', ['input'])
  const beyond = commandRoot(root, 'reporter', [], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] })
  refuses(t, () => beyond.outputSync(), 'ERR_INVALID_ARG_VALUE', ['stdio'])
  const error = await (async () => beyond.output())().catch((reason: Coded) => reason)
  t.is((error as Coded).code, 'ERR_INVALID_ARG_VALUE')
})

test.serial('nothing that is refused starts anything or leaves a descriptor', (t) => {
  const [descriptors, children] = [openDescriptors(), childrenOf().length]
  for (const options of [{ noNewPriv: true }, { uid: -1 }, { stdio: ['bad'] }, { timeout: -1 }, { cwd: '/usr\0' }]) {
    t.throws(() => make(options))
  }
  t.is(openDescriptors(), descriptors)
  t.is(childrenOf().length, children)
})
