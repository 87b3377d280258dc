// What spawn() has that child_process does not: status, resourceUsage(), pidfd, disposal; and how the event loop sees
// its children.

import fs from 'node:fs'
import test from 'ava'
import { commandRoot, openRoot } from 'command-root'
import { same, text, ways } from './support/compare.ts'
import { rejects } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { parseReport, programs } from './support/programs.ts'
import { until } from './support/system.ts'

const root = openRoot(programs)

// ---- what child_process does not have --------------------------------------------------------------

test('status tells how it ended, also when killed, and rejects when it never started', async (t) => {
  t.deepEqual(await commandRoot(root, 'reporter', ['exit', '0']).spawn().status, {
    code: 0,
    signal: null,
    success: true,
  })
  t.deepEqual(await commandRoot(root, 'reporter', ['exit', '3']).spawn().status, {
    code: 3,
    signal: null,
    success: false,
  })
  const killed = commandRoot(root, 'reporter', ['cat']).spawn()
  killed.kill('SIGKILL')
  t.deepEqual(await killed.status, { code: null, signal: 'SIGKILL', success: false })

  const aborted = commandRoot(root, 'reporter', ['cat'], { signal: AbortSignal.abort() }).spawn()
  aborted.on('error', () => {})
  t.deepEqual(await aborted.status, { code: null, signal: 'SIGTERM', success: false })

  const failed = commandRoot(root, 'missing').spawn()
  failed.on('error', () => {})
  await rejects(t, failed.status, 'ENOENT')
})

test('a status that nobody waits for is no unhandled rejection', async (t) => {
  const { unhandled } = await askParent<{ unhandled: number }>('unhandled.mjs', { args: [programs] })
  t.is(unhandled, 0)
})

test('resourceUsage() is there after the exit, with the fields of process.resourceUsage()', async (t) => {
  const child = commandRoot(root, 'reporter', ['flood', '1000']).spawn()
  child.stdout.resume()
  t.is(child.resourceUsage(), undefined)
  await child.status
  const usage = child.resourceUsage()
  t.deepEqual(Object.keys(usage ?? {}).sort(), Object.keys(process.resourceUsage()).sort())
  t.true((usage?.maxRSS ?? 0) > 0)
})

test('pidfd is a descriptor of the child until the exit event’s listeners have run', async (t) => {
  const child = commandRoot(root, 'reporter', ['read-one']).spawn()
  const pidOf = (fd: number) => /^Pid:\s*(-?\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  t.is(pidOf(child.pidfd), String(child.pid))
  let inListener: number | undefined
  child.on('exit', () => {
    inListener = child.pidfd
    t.notThrows(() => fs.fstatSync(child.pidfd))
  })
  child.stdin.end()
  await new Promise((resolve) => child.on('close', resolve))
  t.true((inListener ?? -1) >= 0)
  await until(() => child.pidfd === -1)
  t.is(child.pidfd, -1)
})

test('asynchronous disposal ends the child and waits for it', async (t) => {
  let pid: number | undefined
  {
    await using child = commandRoot(root, 'reporter', ['cat']).spawn()
    pid = child.pid
    t.is(typeof pid, 'number')
  }
  t.false(fs.existsSync(`/proc/${pid}`))
})

test('asynchronous disposal of what ended, or never started, is nothing', async (t) => {
  const ended = commandRoot(root, 'reporter', ['exit', '0']).spawn()
  await ended.status
  await ended[Symbol.asyncDispose]()
  const failed = commandRoot(root, 'missing').spawn()
  failed.on('error', () => {})
  await failed[Symbol.asyncDispose]()
  t.pass()
})

test('detached makes a session of its own', async (t) => {
  await same(t, async (start) => {
    const child = start(['report'], { detached: true })
    const seen = parseReport(await text(child.stdout))
    return { session: seen.sid === seen.pid, group: seen.pgid === seen.pid }
  })
  await same(t, async (start) => {
    const seen = parseReport(await text(start(['report']).stdout))
    return { sid: seen.sid, pgid: seen.pgid, ppid: seen.ppid }
  })
})

// ---- the event loop ------------------------------------------------------------------------------

test('a running child keeps the process alive, unref() lets it end, ref() keeps it again', async (t) => {
  for (const mode of ['keep', 'unref', 'unref-ref']) {
    const asked = (way: string) => askParent<{ exited: boolean }>('ref.mjs', { args: [way, mode, programs] })
    const [ours, nodes] = await Promise.all([asked('ours'), asked('node')])
    t.deepEqual(ours, nodes, mode)
    t.is(nodes.exited, mode !== 'unref')
  }
})

test('process.exit() while children run ends at once and cleanly', async (t) => {
  const { ended } = await askParent<{ ended: boolean }>('exit-early.mjs', { args: [programs] })
  t.true(ended)
})

test('an exception in a listener is an uncaughtException, and the other children go on', async (t) => {
  const seen = (way: string) =>
    askParent<{ uncaught: string[]; exits: number }>('listener-throws.mjs', { args: [way, programs] })
  const [ours, nodes] = await Promise.all([seen('ours'), seen('node')])
  t.deepEqual(ours, nodes)
})

test('many children at once all end, each with its own code', async (t) => {
  const children = Array.from({ length: 60 }, (_, index) => {
    const start = index % 3 === 0 ? ways.node : ways.ours // libuv's own children beside them
    return new Promise((resolve) => {
      const child = start(['exit', String(index)])
      child.stdout?.resume()
      child.stderr?.resume()
      child.on('close', (code) => resolve(code))
    })
  })
  t.deepEqual(
    await Promise.all(children),
    children.map((_, index) => index),
  )
})

test('AsyncLocalStorage reaches the listeners', async (t) => {
  const { AsyncLocalStorage } = await import('node:async_hooks')
  const storage = new AsyncLocalStorage<string>()
  await same(t, (start) =>
    storage.run('here', async () => {
      const child = start(['out', 'x'])
      child.stdout?.resume()
      return new Promise((resolve) => {
        child.on('close', () => resolve(storage.getStore()))
      })
    }),
  )
})

test('children started in a worker end in that worker', async (t) => {
  const { exits, outputs } = await askParent<{ exits: number[]; outputs: number[] }>('worker.mjs', { args: [programs] })
  t.deepEqual(exits, [11, 12, 13])
  t.deepEqual(outputs, [21, 22, 23])
})
