// Process: waiting in both ways, signals, the event loop, and that each child is reaped.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import test from 'ava'
import { forkExec, probe } from 'command-root'
import { refuses } from './support/fail.ts'
import { run } from './support/low-level.ts'
import { askParent } from './support/parents.ts'
import { reporter, system } from './support/programs.ts'
import { openDescriptors, processes, scratch, until } from './support/system.ts'

const stateOf = (pid: number) => processes().find((one) => one.pid === pid)?.state

// Whatever the first start opens is open from here on.
run('exit', '0').waitSync()

// ---- waiting ----------------------------------------------------------------------------------------

test('how it ended is told, in both ways alike', async (t) => {
  for (const [words, code, signal] of [
    [['exit', '0'], 0, null],
    [['exit', '3'], 3, null],
    [['exit', '255'], 255, null],
    [['kill', '9'], null, 'SIGKILL'],
    [['kill', '15'], null, 'SIGTERM'],
    [['kill', '34'], null, 'SIGRTMIN'],
  ] as const) {
    for (const way of ['wait', 'waitSync'] as const) {
      const child = run(...words)
      const { pid, resourceUsage, ...state } = await child[way]()
      t.is(pid, child.pid)
      t.deepEqual(state, { code, signal, success: code === 0, coreDumped: false }, `${words.join(' ')} ${way}`)
      t.deepEqual(Object.keys(resourceUsage), Object.keys(process.resourceUsage()))
    }
  }
})

test('a core dump is told where there is one, as a shell tells it', (t) => {
  const cwd = scratch(t)
  const script = (limit: string) => `ulimit -c ${limit}; kill -QUIT $$`
  for (const limit of ['0', 'unlimited']) {
    const shell = spawnSync('sh', ['-c', `sh -c '${script(limit)}'; true`], { cwd, encoding: 'utf8' })
    const state = forkExec(system('sh').path, ['sh', '-c', script(limit)], { dir: cwd }).waitSync()
    t.deepEqual([state.signal, state.coreDumped], ['SIGQUIT', /core dumped/.test(shell.stderr)], shell.stderr)
  }
})

test('the usage is this child’s own', async (t) => {
  const busy = forkExec(system('sh').path, ['sh', '-c', 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'])
  const idle = run('exit', '0')
  const [a, b] = await Promise.all([busy.wait(), idle.wait()])
  t.true(a.resourceUsage.userCPUTime > b.resourceUsage.userCPUTime)
  t.true(b.resourceUsage.maxRSS > 0)
})

test('however often and in whichever way it is waited for, the answer is the same', async (t) => {
  for (const order of [
    ['wait', 'wait', 'waitSync', 'wait'],
    ['waitSync', 'waitSync', 'wait'],
    ['wait', 'waitSync', 'waitSync'],
  ] as const) {
    const child = run('sleep', '20', 'exit', '5')
    const asked = order.map((way) => child[way]()) // none of them waited for before the next is called
    const answers = await Promise.all(asked)
    const last = child.waitSync()
    for (const answer of [...answers, await child.wait()]) t.is(answer, last)
    t.is(last.code, 5)
    t.true(Object.isFrozen(last))
  }
})

test('waitSync() of what has long ended, and of what the event loop has heard of', async (t) => {
  const ended = run('exit', '6')
  await until(() => stateOf(ended.pid) !== 'R' && stateOf(ended.pid) !== 'S')
  t.is(ended.waitSync().code, 6)
  const heard = run('exit', '7')
  await heard.wait()
  t.is(heard.waitSync().code, 7)
})

test.serial('waitSync() leaves no zombie, and many of them race with nobody', async (t) => {
  const before = openDescriptors()
  for (let index = 0; index < 200; index++) {
    const child = run('exit', String(index))
    if (index % 3 === 0) await new Promise(setImmediate)
    t.is(child.waitSync().code, index)
    t.is(stateOf(child.pid), undefined)
  }
  await until(() => openDescriptors() <= before)
  t.true(openDescriptors() <= before)
})

test.serial('as many as one likes can be waited for in one turn of the event loop', async (t) => {
  const before = openDescriptors()
  for (let index = 0; index < 100; index++) run('exit', '0').waitSync()
  t.true(openDescriptors() < before + 50) // the engine's thread may still have some in its hands
  await until(() => openDescriptors() <= before)
  t.true(openDescriptors() <= before)
})

test('many at once, some waited for here, some there', async (t) => {
  const children = Array.from({ length: 100 }, (_, index) => run('sleep', String(index % 7), 'exit', String(index)))
  const promised = children.map((child) => child.wait())
  for (const [index, child] of children.entries()) if (index % 4 === 0) t.is(child.waitSync().code, index)
  t.deepEqual(
    (await Promise.all(promised)).map(({ code }) => code),
    children.map((_, index) => index),
  )
})

test('it can be waited for in a worker', async (t) => {
  t.deepEqual(await askParent('process-worker.mjs', { args: [reporter] }), [11, 12, 13, 0])
})

// ---- signals ----------------------------------------------------------------------------------------

test('kill() sends, and says whether it did', async (t) => {
  for (const [given, signal] of [
    [undefined, 'SIGTERM'],
    ['SIGKILL', 'SIGKILL'],
    ['sigusr1', 'SIGUSR1'],
    [2, 'SIGINT'],
  ] as const) {
    const child = run('sleep', '60000')
    t.deepEqual([child.kill(0), child.kill(given as NodeJS.Signals)], [true, true])
    t.is((await child.wait()).signal, signal)
    t.deepEqual([child.kill(0), child.kill(), child.kill('SIGKILL')], [false, false, false])
  }
  const child = run('sleep', '60000')
  for (const wrong of ['SIGNOPE', 4711, -1, 1.5, {}, null]) {
    refuses(t, () => child.kill(wrong as number), 'ERR_UNKNOWN_SIGNAL')
  }
  child.kill('SIGKILL')
  t.is(child.waitSync().signal, 'SIGKILL')
  t.is(child.kill(), false)
})

test('it stops and goes on', async (t) => {
  const child = run('sleep', '60000')
  child.kill('SIGSTOP')
  await until(() => stateOf(child.pid) === 'T')
  child.kill('SIGCONT')
  await until(() => stateOf(child.pid) === 'S')
  child.kill('SIGKILL')
  t.is((await child.wait()).signal, 'SIGKILL')
})

const withPidfd = probe().pidfd ? test : test.skip
withPidfd('pidfd is a descriptor of it, until its end has been told', async (t) => {
  const pidOf = (fd: number) => /^Pid:\s*(-?\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  for (const way of ['wait', 'waitSync'] as const) {
    const child = run('sleep', '20')
    const { pidfd } = child
    t.is(pidOf(pidfd), String(child.pid))
    await child[way]()
    t.is(child.pidfd, -1)
    await until(() => !fs.existsSync(`/proc/self/fdinfo/${pidfd}`) || pidOf(pidfd) !== String(child.pid))
  }
})

test('its number is nobody else’s until its end has been told', async (t) => {
  const child = run('exit', '0')
  while (stateOf(child.pid) !== 'Z') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100) // whoever would reap it has seen it by now
  t.is(stateOf(child.pid), 'Z')
  await child.wait()
  await until(() => stateOf(child.pid) === undefined)
  t.pass()
})

// ---- the event loop ---------------------------------------------------------------------------------

test('it keeps this process alive, unless unref() lets go of it', async (t) => {
  for (const [mode, heard] of [
    ['keep', 0],
    ['unref', 'nothing'],
    ['unref-ref', 0],
    ['dispose', 'SIGKILL'],
    ['wait-sync', 0],
  ] as const) {
    t.deepEqual(await askParent('process-ref.mjs', { args: [mode, reporter] }), { heard }, mode)
  }
})

// ---- its end ----------------------------------------------------------------------------------------

test('disposal kills it and waits until it is reaped', async (t) => {
  let pid = 0
  {
    await using child = run('ignore', '15', 'sleep', '60000')
    pid = child.pid
    t.not(stateOf(pid), undefined)
  }
  t.is(stateOf(pid), undefined)
})

test('disposal of what has ended, or was let go of, or twice', async (t) => {
  const ended = run('exit', '0')
  await ended.wait()
  await ended[Symbol.asyncDispose]()
  t.is(ended.waitSync().code, 0)
  const child = run('sleep', '60000')
  child.unref()
  await Promise.all([child[Symbol.asyncDispose](), child[Symbol.asyncDispose]()])
  t.is(child.waitSync().signal, 'SIGKILL')
  t.is(stateOf(child.pid), undefined)
})

test('one that nobody waits for is reaped all the same', async (t) => {
  const nothing = { children: 0, descriptors: 0 }
  t.deepEqual(await askParent('process-unwaited.mjs', { nodeOptions: ['--expose-gc'], args: [reporter] }), {
    collected: nothing,
    endedBefore: nothing,
    ended: nothing,
    exited: nothing,
    terminated: nothing,
  })
})
