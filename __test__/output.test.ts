// output() and outputSync(): what they give, and what they fail with.

import { getEventListeners } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  type AbortError,
  type Command,
  type CommandOptions,
  type CommandOutput,
  CommandRootError,
  commandRoot,
  ExitError,
  openRoot,
} from 'command-root'
import { type Coded, rejects } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { parseReport, programs, system } from './support/programs.ts'
import { childrenOf, isAlive, scratch, until } from './support/system.ts'

const root = openRoot(programs)

type Run = (command: Command<string | Buffer>) => Promise<CommandOutput<string | Buffer>>
const runs: [string, Run][] = [
  ['output()', async (command) => command.output()],
  ['outputSync()', async (command) => command.outputSync()],
]

/** The same test for both. */
function both(
  title: string,
  body: (t: ExecutionContext, run: (args: string[], options?: CommandOptions) => ReturnType<Run>) => unknown,
) {
  // One after the other: outputSync() holds this thread, and what runs beside it would lose its time to that.
  for (const [name, run] of runs) {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, (args, options) => run(commandRoot(root, 'reporter', args, options)))
    })
  }
}

// ---- what comes out ------------------------------------------------------------------------------

both('tells all there is to tell', async (t, run) => {
  const output = await run(['out', 'one', 'err', 'two', 'exit', '3'])
  t.deepEqual(Object.keys(output).sort(), [
    'code',
    'durationMs',
    'pid',
    'resourceUsage',
    'signal',
    'stderr',
    'stdout',
    'success',
    'timedOut',
    'truncated',
  ])
  t.true(Number.isInteger(output.pid) && output.pid > 0)
  t.deepEqual(
    [output.code, output.signal, output.success, output.timedOut, output.truncated],
    [3, null, false, false, false],
  )
  t.deepEqual([output.stdout, output.stderr], [Buffer.from('one'), Buffer.from('two')])
  t.true(output.durationMs >= 0)
  t.deepEqual(Object.keys(output.resourceUsage).sort(), Object.keys(process.resourceUsage()).sort())
  t.true(output.resourceUsage.maxRSS > 0)
})

both('code and signal as the program ended', async (t, run) => {
  for (const [args, code, signal] of [
    [['exit', '0'], 0, null],
    [['exit', '255'], 255, null],
    [['kill', '15'], null, 'SIGTERM'],
    [['kill', '9'], null, 'SIGKILL'],
    [['kill', '10'], null, 'SIGUSR1'],
  ] as const) {
    const output = await run([...args])
    t.deepEqual([output.code, output.signal, output.success], [code, signal, code === 0], args.join(' '))
  }
})

both('every byte arrives, of whatever size, on both streams at once', async (t, run) => {
  for (const size of [0, 1, 4096, 65_535, 65_536, 65_537, 5_000_001]) {
    const { stdout, stderr, truncated } = await run(['flood-both', String(size)])
    t.deepEqual([stdout.length, stderr.length, truncated], [size, size, false])
    t.true((stdout as Buffer).every((byte) => byte === 0x78))
  }
})

both('encoding', async (t, run) => {
  const bytes = 'ä日😀'
  for (const encoding of ['utf8', 'latin1', 'base64', 'hex', 'utf16le', 'ascii'] as const) {
    const { stdout, stderr } = await run(['out', bytes, 'err', bytes], { encoding })
    t.is(stdout, Buffer.from(bytes).toString(encoding))
    t.is(stderr, Buffer.from(bytes).toString(encoding))
  }
  const { stdout } = await run(['out', bytes], { encoding: 'buffer' })
  t.deepEqual(stdout, Buffer.from(bytes))
})

both('input goes to stdin, and its end too', async (t, run) => {
  const words = new Uint16Array([0x6261, 0x6463])
  for (const [input, expected] of [
    ['ä日', 'ä日'],
    ['', ''],
    [Buffer.from('bytes'), 'bytes'],
    [new Uint8Array([0x41, 0x42, 0x43]).subarray(1), 'BC'],
    [words, 'abcd'],
    [new DataView(words.buffer, 1, 2), 'bc'],
  ] as const) {
    t.is((await run(['cat'], { input, encoding: 'utf8' })).stdout, expected)
  }
  const big = 'x'.repeat(3_000_000)
  t.is((await run(['cat'], { input: big, encoding: 'utf8' })).stdout.length, big.length)
})

both('input of any size goes in while both streams flood', async (t, run) => {
  for (const size of [0, 1, 65_536, 65_537, 1_000_000, 20_000_000]) {
    const input = Buffer.alloc(size, 'input ')
    // Both are full before any of it is read; then it comes back on both.
    const { stdout, stderr } = await run(['flood-both', '200000', 'cat-both'], { input })
    for (const stream of [stdout, stderr] as Buffer[]) {
      t.is(stream.length, 200_000 + size)
      t.true(stream.subarray(200_000).equals(input))
    }
  }
})

both('input that nobody reads is no failure', async (t, run) => {
  t.is((await run(['exit', '4'], { input: 'x'.repeat(3_000_000) })).code, 4)
})

both('stdin is empty without input', async (t, run) => {
  t.deepEqual((await run(['cat', 'out', 'end'])).stdout, Buffer.from('end'))
})

both('what is not piped is empty', async (t, run) => {
  const { stdout, stderr } = await run(['out', 'one', 'err', 'two'], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.deepEqual([stdout, stderr], [Buffer.alloc(0), Buffer.from('two')])
  const text = await run(['out', 'one'], { stdio: 'ignore', encoding: 'utf8' })
  t.deepEqual([text.stdout, text.stderr], ['', ''])
})

both("'stdout' puts both in one, in the order written", async (t, run) => {
  const { stdout, stderr } = await run(['out', 'a', 'err', 'b', 'out', 'c', 'err', 'd'], {
    stdio: ['ignore', 'pipe', 'stdout'],
    encoding: 'utf8',
  })
  t.deepEqual([stdout, stderr], ['abcd', ''])
})

test.serial('output() leaves the JavaScript thread free', async (t) => {
  const order: string[] = []
  const running = commandRoot(root, 'reporter', ['sleep', '200'])
    .output()
    .then(() => order.push('output'))
  setTimeout(() => order.push('timer'), 10)
  await running
  t.deepEqual(order, ['timer', 'output'])
})

test('a hundred at once, each with its own', async (t) => {
  const outputs = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      commandRoot(root, 'reporter', ['out', `number ${index}`, 'exit', String(index)], { encoding: 'utf8' }).output(),
    ),
  )
  outputs.forEach((output, index) => {
    t.deepEqual([output.stdout, output.code], [`number ${index}`, index])
  })
})

test('cwd, environment and descriptors are those of the moment of the call', async (t) => {
  const directory = scratch(t)
  const before = process.cwd()
  process.env.COMMAND_ROOT_TEST = 'then'
  const running = commandRoot(root, 'reporter', ['report']).output()
  process.env.COMMAND_ROOT_TEST = 'later'
  process.chdir(directory)
  try {
    const seen = parseReport((await running).stdout)
    t.is(seen.cwd, before)
    t.true(seen.env.includes('COMMAND_ROOT_TEST=then'))
  } finally {
    process.chdir(before)
    delete process.env.COMMAND_ROOT_TEST
  }
})

both('what it used is its own, and its time the whole time', async (t, run) => {
  const count = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'
  using bin = openRoot(system('sh').root)
  const busy = await commandRoot(bin, 'sh', ['-c', count]).output()
  const idle = await run(['sleep', '300'])
  const time = ({ resourceUsage }: CommandOutput<string | Buffer>) =>
    resourceUsage.userCPUTime + resourceUsage.systemCPUTime
  t.true(time(idle) < time(busy), `${time(idle)} ${time(busy)}`)
  t.true(idle.durationMs >= 299)
})

// ---- check ---------------------------------------------------------------------------------------

both('check rejects unless it succeeded', async (t, run) => {
  t.true((await run(['exit', '0'], { check: true })).success)
  for (const [args, ended] of [
    [['out', 'partial', 'err', 'the reason', 'exit', '3'], 'ended with 3'],
    [['err', 'the reason', 'kill', '15'], 'SIGTERM'],
  ] as const) {
    const error = (await rejects(t, run([...args], { check: true, encoding: 'utf8' }), 'ERR_EXIT', [
      'reporter',
      ended,
      'the reason',
    ])) as unknown
    t.true(error instanceof ExitError)
    t.true(error instanceof CommandRootError)
    const { output } = error as ExitError
    t.is(output.stderr, 'the reason')
    t.is(output.success, false)
  }
})

both('the message of an ExitError ends with the last KiB of stderr, and holds no arguments', async (t, run) => {
  const error = await rejects(
    t,
    run(['err', 'secret word', 'flood-both', '5000', 'err', 'last words', 'exit', '1'], { check: true }),
    'ERR_EXIT',
  )
  t.true(error.message.trimEnd().endsWith('last words'))
  t.true(error.message.length < 1500)
  t.false(error.message.includes('secret'))
})

// ---- what it fails with ----------------------------------------------------------------------------

both('a start that fails', async (t) => {
  for (const [, run] of runs) {
    const error = await rejects(t, run(commandRoot(root, 'missing', ['secret'])), 'ENOENT', ['missing'])
    t.true(error instanceof CommandRootError)
    t.is(error.step, 'resolve')
    t.is(error.path, 'missing')
    t.is(typeof error.syscall, 'string')
    t.is(error.output, undefined)
    t.false(error.message.includes('secret'))
  }
})

test('output() never throws where it can reject, and outputSync() throws the same', async (t) => {
  for (const make of [
    () => commandRoot(root, 'missing'),
    () => commandRoot(root, '..'),
    () => commandRoot(root, 'reporter', [], { cwd: '/nowhere/at/all' }),
    () => commandRoot(root, 'reporter', [], { stdio: ['pipe', 'pipe', 'pipe', 987_654] }),
    () => commandRoot(root, 'reporter', ['exit', '2'], { check: true }),
  ]) {
    const command = make()
    const rejected = (await command.output().catch((error: unknown) => error)) as Coded
    const caught = (() => {
      try {
        return command.outputSync()
      } catch (error) {
        return error
      }
    })() as Coded
    t.true(rejected instanceof Error)
    t.deepEqual(
      [caught.code, caught.errno, caught.syscall, caught.step, caught.name, caught.message],
      [rejected.code, rejected.errno, rejected.syscall, rejected.step, rejected.name, rejected.message],
    )
  }
})

both('maxBuffer: passing it ends the child, keeping what was read', async (t, run) => {
  for (const [args, stream] of [
    [['flood', '100000', 'sleep', '60000'], 'stdout'],
    [['out', 'x', 'flood-both', '100000', 'sleep', '60000'], ''],
  ] as const) {
    const error = await rejects(t, run([...args], { maxBuffer: 50_000 }), 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER', [stream])
    const output = error.output as CommandOutput
    t.true(output.stdout.length <= 50_000)
    t.true(output.truncated)
    t.false(isAlive(output.pid))
  }
})

both('maxBuffer: just as much is no failure', async (t, run) => {
  t.is((await run(['flood', '50000'], { maxBuffer: 50_000 })).stdout.length, 50_000)
  t.is((await run(['exit', '0'], { maxBuffer: 0 })).stdout.length, 0)
  t.is((await run(['flood', '50000'], { maxBuffer: Number.POSITIVE_INFINITY })).stdout.length, 50_000)
})

both("overflow 'discard' keeps the first bytes and reads on to the end", async (t, run) => {
  const { stdout, stderr, truncated, code } = await run(['out', 'first', 'flood-both', '3000000', 'exit', '3'], {
    maxBuffer: 10,
    overflow: 'discard',
    encoding: 'utf8',
  })
  t.deepEqual([stdout, stderr, truncated, code], ['firstxxxxx', 'xxxxxxxxxx', true, 3])
})

both('timeout: resolves with timedOut, and how it ended', async (t, run) => {
  const output = await run(['out', 'before', 'sleep', '60000'], { timeout: 1000, encoding: 'utf8' })
  t.deepEqual(
    [output.timedOut, output.success, output.code, output.signal, output.stdout],
    [true, false, null, 'SIGTERM', 'before'],
  )
  t.false(isAlive(output.pid))
  t.is((await run(['sleep', '60000'], { timeout: 1000, killSignal: 'SIGKILL' })).signal, 'SIGKILL')
  const early = await run(['exit', '0'], { timeout: 60_000 })
  t.deepEqual([early.timedOut, early.success], [false, true])
})

both('timeout with check rejects, with all of it in the error', async (t, run) => {
  const error = await rejects(t, run(['out', 'before', 'sleep', '60000'], { timeout: 1000, check: true }), 'ERR_EXIT', [
    'timeout of 1000 ms',
  ])
  t.is((error.output as CommandOutput).timedOut, true)
})

both('timeout: an exit in order does not hide it', async (t, run) => {
  // The program is gone at once; a grandchild holds its pipes.
  const output = await run(['out', 'kept', 'hold', '3000', 'exit', '0'], { timeout: 1000, encoding: 'utf8' })
  t.deepEqual([output.timedOut, output.success, output.code, output.stdout], [true, false, 0, 'kept'])
})

both('it waits for what a grandchild still writes', async (t, run) => {
  const output = await run(['out', 'kept', 'hold', '200', 'exit', '0'], { encoding: 'utf8' })
  t.deepEqual([output.timedOut, output.success, output.stdout], [false, true, 'kept'])
})

test('output() aborted: the child is killed and reaped first, and what was read is in the error', async (t) => {
  const file = path.join(scratch(t), 'written')
  const fd = fs.openSync(file, 'w')
  t.teardown(() => fs.closeSync(fd))
  const controller = new AbortController()
  const command = commandRoot(root, 'reporter', ['out', 'before', 'to', '3', 'report', 'sleep', '60000'], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
    signal: controller.signal,
    encoding: 'utf8',
  })
  const running = command.output()
  await until(() => fs.statSync(file).size > 0)
  const reason = new Error('enough')
  controller.abort(reason)
  const error = (await rejects(t, running, 'ABORT_ERR')) as unknown as AbortError
  t.is(error.name, 'AbortError')
  t.is(error.cause, reason)
  t.is(error.output?.stdout, 'before')
  t.is(error.output?.signal, 'SIGTERM')
  t.false(fs.existsSync(`/proc/${error.output?.pid}`))
})

both('aborted before: nothing is started', async (t, run) => {
  const directory = scratch(t)
  const file = path.join(directory, 'written')
  const fd = fs.openSync(file, 'w')
  t.teardown(() => fs.closeSync(fd))
  const reason = new Error('enough')
  const error = await rejects(
    t,
    run(['to', '3', 'report'], { signal: AbortSignal.abort(reason), stdio: ['ignore', 'pipe', 'pipe', fd] }),
    'ABORT_ERR',
  )
  t.is(error.name, 'AbortError')
  t.is(error.cause, reason)
  t.is(fs.statSync(file).size, 0)
})

test.serial('aborts at every moment settle once and leave nothing', async (t) => {
  const before = childrenOf().length
  for (let round = 0; round < 40; round++) {
    const controller = new AbortController()
    const running = commandRoot(root, 'reporter', ['sleep', '60000'], { signal: controller.signal }).output()
    for (let turn = 0; turn < round % 8; turn++) await new Promise(setImmediate)
    controller.abort()
    await rejects(t, running, 'ABORT_ERR')
  }
  await until(() => childrenOf().length <= before)
})

both('an abort signal keeps no listener of a run that has ended', async (t, run) => {
  for (const args of [
    ['exit', '0'],
    ['kill', '9'],
  ]) {
    const { signal } = new AbortController()
    await run(args, { signal })
    t.is(getEventListeners(signal, 'abort').length, 0)
  }
  const signal = AbortSignal.abort()
  await run([], { signal }).catch(() => {})
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('an abort after the end changes nothing', async (t) => {
  const controller = new AbortController()
  const output = await commandRoot(root, 'reporter', ['exit', '3'], { signal: controller.signal }).output()
  controller.abort()
  t.is(output.code, 3)
})

test('output() keeps the process alive until it settles', async (t) => {
  const { code } = await askParent<{ code: number }>('output-alive.mjs', { args: [programs] })
  t.is(code, 5)
})

test('programs of the system run', async (t) => {
  const uname = system('uname')
  using bin = openRoot(uname.root)
  const { stdout, success } = await commandRoot(bin, 'uname', ['-s'], { encoding: 'utf8', check: true }).output()
  t.deepEqual([stdout.trim(), success], ['Linux', true])
})
