// spawn() beside child_process.spawn: the same members, the same events with the same arguments in the same order.

import { ChildProcess, spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CommandRootError, commandRoot, openRoot } from 'command-root'
import { events, type Options, plain, type Start, state, streamEvents, text, thrown, ways } from './support/compare.ts'
import { rejects } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { parseReport, programs, system } from './support/programs.ts'
import { scratch, until } from './support/system.ts'

/** Does the same with both and compares what comes of it. */
async function same(t: ExecutionContext, act: (start: Start) => unknown, about?: string): Promise<void> {
  const nodes = await act(ways.node)
  const ours = await act(ways.ours)
  t.deepEqual(ours, nodes, about)
}

/** The events of a child and its state after them. */
async function life(child: ChildProcess): Promise<unknown> {
  const seen = await events(child)
  return { seen, state: state(child) }
}

const missing = (t: ExecutionContext) => path.join(scratch(t), 'missing')
function withoutX(t: ExecutionContext): string {
  const file = path.join(scratch(t), 'plain')
  fs.copyFileSync(system('true').path, file)
  fs.chmodSync(file, 0o644)
  return file
}

// ---- events --------------------------------------------------------------------------------------

for (const args of [
  ['exit', '0'],
  ['exit', '3'],
  ['exit', '255'],
  ['kill', '15'],
  ['kill', '9'],
  ['kill', '6'],
  ['out', 'x'],
]) {
  test(`events of a program that does ${args.join(' ')}`, async (t) => {
    await same(t, (start) => life(start(args)))
  })
}

test('events with every stream closed or handed on', async (t) => {
  for (const stdio of ['ignore', ['ignore', 'pipe', 'ignore'], ['ignore', 'ignore', 'ignore']] as NonNullable<
    Options['stdio']
  >[]) {
    await same(t, (start) => life(start(['out', 'x', 'exit', '2'], { stdio })), JSON.stringify(stdio))
  }
})

test('exit does not wait for streams, close does', async (t) => {
  // The grandchild holds stdout until it is told to end by its stdin.
  await same(t, async (start) => {
    const child = start(['hold', '300', 'exit', '0'])
    return life(child)
  })
})

test('a start that fails: error on the next tick, no pid, then close', async (t) => {
  for (const program of [missing(t), withoutX(t), path.join(missing(t), 'below')]) {
    await same(
      t,
      async (start) => {
        const child = start(['one', 'two'], {}, program)
        const order: string[] = ['returned']
        process.nextTick(() => order.push('tick'))
        child.on('error', () => order.push('error'))
        const before = state(child)
        const seen = await events(child)
        return { before, pid: child.pid, seen, after: state(child), exitCode: child.exitCode }
      },
      program,
    )
  }
})

test('the error of a failed start has child_process’s fields, and the step', async (t) => {
  const file = missing(t)
  using root = openRoot(path.dirname(file))
  const child = commandRoot(root, 'missing', ['secret']).spawn()
  const error = await new Promise<Error & Record<string, unknown>>((resolve) =>
    child.on('error', (reason) => resolve(reason as never)),
  )
  const nodes = await new Promise<Error & Record<string, unknown>>((resolve) =>
    spawn(file, ['secret']).on('error', (reason) => resolve(reason as never)),
  )
  t.is(error.syscall, 'spawn missing')
  t.is(error.path, 'missing')
  t.deepEqual(error.spawnargs, ['secret'])
  t.deepEqual([error.code, error.errno], [nodes.code, nodes.errno])
  t.true(error instanceof CommandRootError)
  for (const key of Object.keys(nodes)) t.true(key in error, key)
  t.is(error.step, 'resolve')
  t.false(error.message.includes('secret'))
})

test('the streams of a child emit what child_process’s do', async (t) => {
  for (const stdio of ['pipe', ['pipe', 'ignore', 'pipe'], ['ignore', 'pipe', 'ignore']] as NonNullable<
    Options['stdio']
  >[]) {
    await same(t, async (start) => {
      // Which stream is first, and whether the exit's reading away is, would be a matter of time.
      const { order, closed } = await streamEvents(start(['exit', '2'], { stdio }))
      return { order: order.filter((event) => !event.endsWith('resume')).sort(), closed }
    })
  }
})

test('what a child wrote, and the end of it, come before its exit, however late both are seen', async (t) => {
  await same(t, (start) => {
    const children = Array.from({ length: 24 }, () => start(['out', 'x', 'err', 'y', 'exit', '2']))
    const orders = children.map(async (child) => {
      const order: string[] = []
      for (const [name, stream] of [
        ['out', child.stdout],
        ['err', child.stderr],
      ] as const)
        stream?.on('data', () => order.push(`${name} data`)).on('end', () => order.push(`${name} end`))
      child.on('exit', () => order.push('exit'))
      await new Promise((resolve) => child.on('close', resolve))
      return { last: order.at(-1), all: order.sort() }
    })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300) // all have ended by then
    return Promise.all(orders)
  })
})

test('a diagnostics channel tells of each child as it is made', async (t) => {
  await same(t, async (start) => {
    const told: unknown[] = []
    const listener = (message: unknown) => {
      const { process: child, ...more } = message as { process: ChildProcess }
      told.push([child, child instanceof ChildProcess, child.pid, Object.keys(more)])
    }
    subscribe('child_process', listener)
    const children = [start(['exit', '0']), start([], {}, missing(t))]
    unsubscribe('child_process', listener)
    await Promise.all(children.map((child) => events(child)))
    return told.map((entry, i) => {
      const [child, ...rest] = entry as unknown[]
      return [child === children[i], ...rest]
    })
  })
})

test('an error event that nobody listens to is thrown, as with child_process', async (t) => {
  for (const way of ['ours', 'node']) {
    const { uncaught } = await askParent<{ uncaught: string }>('uncaught.mjs', { args: [way, programs] })
    t.is(uncaught, 'ENOENT', way)
  }
})

// ---- members -------------------------------------------------------------------------------------

test('the child is a ChildProcess with all its members', async (t) => {
  const [ours, nodes] = [ways.ours(['cat']), ways.node(['cat'])]
  t.true(ours instanceof ChildProcess)
  const names = new Set<string>()
  for (let at: object | null = nodes; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (!name.startsWith('_')) names.add(name)
  }
  for (const name of names) {
    t.is(typeof Reflect.get(ours, name), typeof Reflect.get(nodes, name), name)
  }
  t.deepEqual(Object.keys(ours).filter((key) => !key.startsWith('_')).length > 0, true)
  t.deepEqual(state(ours), state(nodes))
  t.is(ours.stdio.length, nodes.stdio.length)
  t.deepEqual([ours.stdio[0], ours.stdio[1], ours.stdio[2]], [ours.stdin, ours.stdout, ours.stderr])
  const ended = [life(ours), life(nodes)]
  ours.stdin?.end()
  nodes.stdin?.end()
  const [a, b] = await Promise.all(ended)
  t.deepEqual(a, b)
})

test('spawnargs are argv0 and the arguments', (t) => {
  const root = openRoot(programs)
  const child = commandRoot(root, 'reporter', ['a', 'b']).spawn()
  t.deepEqual(child.spawnargs, [path.join(programs, 'reporter'), 'a', 'b'])
  child.on('error', () => {})
})

test('stdout and stderr arrive whole, stdin goes out whole', async (t) => {
  await same(t, async (start) => {
    const child = start(['cat', 'err', 'done'])
    const big = 'abcdefghij'.repeat(200_000)
    child.stdin?.end(big)
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    return { equal: out === big, err }
  })
})

test('stdout can be read as text and piped on', async (t) => {
  await same(t, async (start) => {
    const from = start(['out', 'äöü', 'out', '日本'])
    const to = start(['cat'])
    if (from.stdout && to.stdin) from.stdout.pipe(to.stdin)
    let seen = ''
    to.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      seen += chunk
    })
    await events(to)
    return seen
  })
})

// ---- kill ----------------------------------------------------------------------------------------

test('kill() sends, and says whether it did', async (t) => {
  for (const signal of [undefined, 'SIGTERM', 'SIGKILL', 'SIGUSR1', 9, 15] as const) {
    await same(
      t,
      async (start) => {
        const child = start(['cat'])
        const ended = life(child)
        const sent = child.kill(signal as NodeJS.Signals)
        const killed = child.killed
        const result = await ended
        return { sent, killed, result, late: child.kill(), lateKilled: child.killed }
      },
      String(signal),
    )
  }
})

test('kill(0) looks only', async (t) => {
  await same(t, async (start) => {
    const child = start(['read-one', 'exit', '4'])
    const looked = [child.kill(0), child.killed]
    child.stdin?.end()
    return { looked, result: await life(child), after: child.kill(0) }
  })
})

test('a signal that does not exist is an error', async (t) => {
  await same(t, async (start) => {
    const child = start(['read-one'])
    const errors = ['SIGNOPE', 4711, -1, {}, 1.5].map((signal) => plain(thrown(() => child.kill(signal as number))))
    child.stdin?.end()
    return { errors, result: await life(child) }
  })
})

test('an ignored signal changes nothing', async (t) => {
  await same(t, async (start) => {
    const child = start(['ignore', '15', 'out', 'ready', 'read-one', 'exit', '5'])
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    const sent = child.kill('SIGTERM')
    child.stdin?.end()
    return { sent, killed: child.killed, result: await life(child) }
  })
})

test('disposal kills', async (t) => {
  await same(t, async (start) => {
    const child = start(['cat'])
    const ended = life(child)
    child[Symbol.dispose]()
    return { result: await ended, killed: child.killed }
  })
})

// ---- abort and timeout ---------------------------------------------------------------------------

test('abort kills and is an error', async (t) => {
  for (const reason of [undefined, new Error('enough'), 'a word']) {
    for (const killSignal of [undefined, 'SIGKILL', 'SIGINT'] as const) {
      await same(t, async (start) => {
        const controller = new AbortController()
        const child = start(['cat'], { signal: controller.signal, killSignal })
        const ended = life(child)
        controller.abort(reason)
        return { result: await ended, killed: child.killed }
      })
    }
  }
})

test('a signal aborted before the start', async (t) => {
  await same(t, async (start) => {
    const child = start(['cat'], { signal: AbortSignal.abort() })
    return { hasPid: typeof child.pid, result: await life(child) }
  })
})

test('abort after the end changes nothing', async (t) => {
  await same(t, async (start) => {
    const controller = new AbortController()
    const child = start(['exit', '3'], { signal: controller.signal })
    const result = await life(child)
    let late = false
    child.on('error', () => {
      late = true
    })
    controller.abort()
    await new Promise(setImmediate)
    return { result, late }
  })
})

test('an abort signal keeps no listener of a child that has ended', async (t) => {
  // child_process leaves one when the start fails.
  const failing = missing(t)
  for (const [args, program, signal] of [
    [['exit', '0'], undefined, new AbortController().signal],
    [['cat'], undefined, AbortSignal.abort()],
    [[], failing, new AbortController().signal],
    [[], failing, AbortSignal.abort()],
  ] as const) {
    await events(ways.ours(args, { signal }, program))
    t.is(getEventListeners(signal, 'abort').length, 0)
  }
})

// Not compared: child_process sends the signal to whatever number its unused handle holds, which may be 0, its group.
test('kill() and abort of a start that failed reach nobody', async (t) => {
  const program = missing(t)
  const controller = new AbortController()
  const child = ways.ours([], { signal: controller.signal }, program)
  const ended = events(child)
  t.deepEqual([child.kill(), child.kill(0), child.killed], [false, false, false])
  controller.abort()
  const names = (await ended).map(([name]) => name)
  t.deepEqual([names.at(0), names.at(-1)], ['error', 'close'])
  t.deepEqual([child.kill(), child.killed], [false, false])
})

test('a timeout kills with killSignal', async (t) => {
  for (const killSignal of [undefined, 'SIGKILL', 2] as const) {
    await same(t, (start) => life(start(['cat'], { timeout: 50, killSignal })), String(killSignal))
  }
})

test('a timeout that is not reached changes nothing', async (t) => {
  await same(t, (start) => life(start(['exit', '3'], { timeout: 60_000 })))
})

// ---- what child_process does not have --------------------------------------------------------------

const root = openRoot(programs)

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
