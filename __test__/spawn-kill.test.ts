// kill(), abort and timeout of a child, beside child_process’s.

import { getEventListeners } from 'node:events'
import test from 'ava'
import { events, life, missing, plain, same, thrown, ways } from './support/compare.ts'

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
