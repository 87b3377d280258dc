// spawn() beside child_process.spawn: the same members, the same events with the same arguments in the same order.

import { ChildProcess, spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CommandRootError, commandRoot, openRoot } from 'command-root'
import { events, life, missing, type Options, same, state, streamEvents, text, ways } from './support/compare.ts'
import { askParent } from './support/parents.ts'
import { programs, system } from './support/programs.ts'
import { scratch } from './support/system.ts'

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
