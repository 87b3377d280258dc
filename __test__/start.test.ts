// What a start leaves behind in this process, and what it leaves to the child: descriptors, signals, threads, zombies.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'ava'
import { type Command, commandFd, commandRoot, openRoot } from 'command-root'
import { askParent } from './support/parents.ts'
import { parseReport, programs, type Report, reporter, system } from './support/programs.ts'
import { childrenOf, openDescriptors, scratch, threads, until } from './support/system.ts'

const root = openRoot(programs)

// ---- nothing is left behind ------------------------------------------------------------------------

const counts = () => ({ descriptors: openDescriptors(), children: childrenOf().length, threads: threads() })

/** Starts this command in every way, whatever comes of it. */
async function everyWay(command: Command<string | Buffer>): Promise<void> {
  try {
    const child = command.spawn()
    child.on('error', () => {})
    for (const stream of child.stdio) if (stream && 'resume' in stream) stream.resume()
    await new Promise((resolve) => child.on('close', resolve))
  } catch {
    // thrown at once
  }
  await command.output().catch(() => {})
  try {
    command.outputSync()
  } catch {
    // thrown
  }
}

const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'command-root-start-'))
test.after.always(() => fs.rmSync(directory, { recursive: true, force: true }))
for (const [name, content, mode] of [
  ['script', '#!/bin/sh\n', 0o755],
  ['text', 'no program', 0o755],
  ['no-x', '', 0o644],
  ['no-interpreter', '', 0o755],
] as const) {
  fs.writeFileSync(path.join(directory, name), content, { mode })
}
fs.copyFileSync(reporter, path.join(directory, 'no-x'))
const elf = fs.readFileSync(reporter)
const interpreter = elf.indexOf('/lib')
fs.writeFileSync(path.join(directory, 'no-interpreter'), elf.fill('/nowhere', interpreter, interpreter + 8))
fs.chmodSync(path.join(directory, 'no-x'), 0o644)
const odd = openRoot(directory)

const starts: [string, () => Command<string | Buffer>][] = [
  ['a program that ends in order', () => commandRoot(root, 'reporter', ['out', 'x', 'exit', '0'])],
  ['a program that fails', () => commandRoot(root, 'reporter', ['exit', '3'], { check: true })],
  ['a program that is killed', () => commandRoot(root, 'reporter', ['kill', '9'])],
  ['a program with input', () => commandRoot(root, 'reporter', ['cat'], { input: 'x'.repeat(200_000) })],
  ['a program whose output is too much', () => commandRoot(root, 'reporter', ['flood', '100000'], { maxBuffer: 10 })],
  ['a program that takes too long', () => commandRoot(root, 'reporter', ['sleep', '60000'], { timeout: 20 })],
  ['a program that is not there', () => commandRoot(odd, 'missing')],
  ['a name that leads out', () => commandRoot(odd, '../../etc/passwd')],
  ['a program without x', () => commandRoot(odd, 'no-x')],
  ['a script', () => commandRoot(odd, 'script')],
  ['a text', () => commandRoot(odd, 'text')],
  ['a program whose loader is not there', () => commandRoot(odd, 'no-interpreter')],
  ['a directory', () => commandRoot(odd, '.')],
  ['a cwd that is not there', () => commandRoot(root, 'reporter', [], { cwd: '/nowhere/at/all' })],
  ['a cwd that is a file', () => commandRoot(root, 'reporter', [], { cwd: { root, path: 'reporter' } })],
  [
    'a descriptor that is not open',
    () => commandRoot(root, 'reporter', [], { stdio: ['pipe', 'pipe', 'pipe', 987_654] }),
  ],
  ['arguments that are too long', () => commandRoot(root, 'reporter', ['x'.repeat(4_000_000)])],
  ['an abort before the start', () => commandRoot(root, 'reporter', ['cat'], { signal: AbortSignal.abort() })],
]

for (const [title, make] of starts) {
  test.serial(`${title} leaves no descriptor, no child and no thread`, async (t) => {
    // Descriptors of other tests in this process that are not yet collected would count; these are serial.
    const command = make()
    for (let round = 0; round < 3; round++) await everyWay(command)
    await until(() => childrenOf().every(({ state }) => state !== 'Z'))
    const before = counts()
    for (let round = 0; round < 10; round++) await everyWay(command)
    await until(() => {
      const now = counts()
      return now.descriptors <= before.descriptors && now.children <= before.children && now.threads <= before.threads
    })
    t.pass()
  })
}

test.serial('a failed start leaves no zombie for a moment', async (t) => {
  const before = childrenOf().length
  for (const name of ['no-x', 'script', 'text', 'no-interpreter']) {
    for (let round = 0; round < 20; round++) {
      t.throws(() => commandRoot(odd, name).outputSync())
      t.is(childrenOf().length, before, name)
    }
  }
})

test.serial('300 starts that fail and 4,000 that do not leave nothing, and the next ones work', async (t) => {
  const { right, before, after, next } = await askParent<{
    right: number[]
    before: Record<string, number>
    after: Record<string, number>
    next: number
  }>('many-starts.mjs', { args: [programs] })
  t.deepEqual(right, [300, 4000])
  for (const [name, number] of Object.entries(before)) t.true((after[name] ?? 0) <= number, `${name}: ${after[name]}`)
  t.is(next, 8)
})

test.serial('no thread lives as long as a child', async (t) => {
  const children: ReturnType<Command['spawn']>[] = []
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  const outputs: Promise<unknown>[] = []
  const start = () => {
    children.push(commandRoot(root, 'reporter', ['cat']).spawn())
    const sleeping = commandRoot(root, 'reporter', ['sleep', '60000'], { signal: controller.signal })
    outputs.push(sleeping.output().catch(() => {}))
  }
  const before = childrenOf().length
  start()
  await until(() => childrenOf().length === before + 2)
  const few = threads()
  for (let round = 0; round < 20; round++) start()
  await until(() => childrenOf().length === before + 42)
  await until(() => threads() <= few)
  t.true(threads() <= few)
  controller.abort()
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([...outputs, ...children.map((child) => child.status)])
})

// ---- what the child gets ---------------------------------------------------------------------------

const report = (command: Command<string | Buffer>) => parseReport(command.outputSync().stdout)

test('the child has the descriptors asked for and no other, also where they are inheritable', async (t) => {
  const found = await askParent<Report>('stray-descriptors.mjs', {
    before: ['open', '3', 'open', '4', 'open', '17', 'open', '200'],
    args: [programs],
  })
  t.deepEqual(
    found.fds.map(({ fd }) => fd),
    [0, 1, 2],
  )
})

test('the descriptor of the program is not in the child, nor that of its cwd', (t) => {
  using executable = root.openExecutable('reporter')
  const fd = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(fd))
  for (const command of [
    commandRoot(root, 'reporter', ['report']),
    commandFd(executable, ['report']),
    commandFd(fd, ['report']),
    commandRoot(root, 'reporter', ['report'], { cwd: root }),
    commandRoot(root, 'reporter', ['report'], { cwd: { root, path: '.' } }),
  ]) {
    t.deepEqual(
      report(command).fds.map(({ fd: number }) => number),
      [0, 1, 2],
    )
  }
})

test('a descriptor asked for far up arrives, and nothing between', (t) => {
  const file = fs.openSync('/dev/null', 'r')
  t.teardown(() => fs.closeSync(file))
  const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'pipe', 'pipe', ...Array<'ignore'>(60).fill('ignore'), file]
  const { fds } = report(commandRoot(root, 'reporter', ['report'], { stdio }))
  t.deepEqual(
    fds.map(({ fd, cloexec }) => [fd, cloexec]),
    [0, 1, 2, 63].map((fd) => [fd, false]),
  )
})

/** No signal blocked, ignored, caught or pending. */
const none = '0'.repeat(16)
const signalsOf = ({ sigBlocked, sigIgnored, sigCaught, sigPending, sigPendingProcess }: Report) => ({
  sigBlocked,
  sigIgnored,
  sigCaught,
  sigPending,
  sigPendingProcess,
})
const clean = { sigBlocked: none, sigIgnored: none, sigCaught: none, sigPending: none, sigPendingProcess: none }

test('all 64 signals are reset and unblocked in the child', async (t) => {
  // Node ignores SIGPIPE itself; the fixture handles SIGUSR2, and the signals of real time come from before Node.
  const found = await askParent<{ spawn: Report; output: Report; outputSync: Report }>('strange-signals.mjs', {
    before: [
      'ignore',
      '1',
      'ignore',
      '13',
      'ignore',
      '34',
      'ignore',
      '64',
      'block',
      '35',
      'block',
      '50',
      'block',
      '17',
    ],
    args: [programs],
  })
  for (const [way, seen] of Object.entries(found)) t.deepEqual(signalsOf(seen), clean, way)
})

test('the parent’s own signals are as they were', async (t) => {
  const { before, after } = await askParent<Record<string, unknown>>('own-signals.mjs', {
    before: ['block', '40', 'ignore', '41'],
    args: [programs],
  })
  t.deepEqual(after, before)
})

test('0 to 2 closed in the parent: pipes, nothing and files still arrive', async (t) => {
  for (const closed of [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]]) {
    const file = path.join(scratch(t), 'answer')
    await askParentByFile('closed-standard.mjs', [programs, file, closed.join(',')])
    const { reports, codes } = JSON.parse(fs.readFileSync(file, 'utf8')) as { reports: Report[]; codes: number[] }
    t.is(reports.length, 3)
    for (const { fds } of reports) {
      t.deepEqual(
        fds.map(({ fd }) => fd),
        [0, 1, 2],
        closed.join(','),
      )
      t.regex(fds[1]?.target ?? '', /^pipe:/)
    }
    t.deepEqual(codes, [5, 6, 7])
  }
})

async function askParentByFile(script: string, args: string[]): Promise<void> {
  const { runParent } = await import('./support/parents.ts')
  const ended = await runParent(script, { args })
  if (ended.code !== 0) throw new Error(`${script} ended with ${ended.signal ?? ended.code}: ${ended.stderr}`)
}

test('out of descriptors: an error that says so, as with child_process, and nothing is left', async (t) => {
  const { ours, node, left } = await askParent<{ ours: unknown; node: unknown; left: number }>(
    'out-of-descriptors.mjs',
    {
      args: [programs],
    },
  )
  t.deepEqual(ours, node)
  t.is(left, 0)
})

test('the parent is as dumpable, and has the same limits and identity, as before', (t) => {
  const own = () => ({
    owner: fs.statSync('/proc/self/mem').uid,
    limits: fs.readFileSync('/proc/self/limits', 'utf8'),
    identity: /^(Uid|Gid|Groups|NoNewPrivs|Seccomp|CapEff):.*$/gm[Symbol.match](
      fs.readFileSync('/proc/self/status', 'utf8'),
    ),
    cwd: process.cwd(),
    umask: process.umask(),
  })
  const before = own()
  commandRoot(root, 'reporter', ['exit', '0'], { cwd: '/', detached: true }).outputSync()
  t.deepEqual(own(), before)
})

test('a child has one thread, its parent’s identity and this process as its parent', (t) => {
  const seen = report(commandRoot(root, 'reporter', ['report']))
  t.is(seen.threads, '1')
  t.is(seen.ppid, process.pid)
  t.deepEqual(
    [seen.uid, seen.gid].map((ids) => Number(ids.split('\t')[0])),
    [process.getuid?.(), process.getgid?.()],
  )
  t.is(seen.umask, process.umask())
  t.is(seen.exe, fs.realpathSync(reporter))
})

test('starts from many places at once do not get into each other’s way', async (t) => {
  const { root: bin, name } = system('true')
  using there = openRoot(bin)
  const all = Array.from({ length: 200 }, (_, index) => {
    if (index % 4 === 0) return commandRoot(there, name).output()
    if (index % 4 === 1)
      return commandRoot(root, 'missing')
        .output()
        .catch((error: { code: string }) => error.code)
    if (index % 4 === 2) return commandRoot(root, 'reporter', ['out', String(index)]).output()
    return commandRoot(root, 'reporter', ['exit', '1']).spawn().status
  })
  const results = await Promise.all(all)
  results.forEach((result, index) => {
    if (index % 4 === 0) t.is((result as { code: number }).code, 0)
    if (index % 4 === 1) t.is(result, 'ENOENT')
    if (index % 4 === 2) t.is(String((result as { stdout: Buffer }).stdout), String(index))
    if (index % 4 === 3) t.is((result as { code: number }).code, 1)
  })
})
