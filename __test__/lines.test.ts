// lines(): standard output line by line, and how the program ended.

import test, { type ExecutionContext } from 'ava'
import {
  type Command,
  type CommandOptions,
  type CommandOutput,
  type CommandStatus,
  commandRoot,
  ExitError,
  openRoot,
} from 'command-root'
import { refuses, rejects } from './support/fail.ts'
import { programs, system } from './support/programs.ts'
import { childrenOf, isAlive, openDescriptors, until } from './support/system.ts'

const root = openRoot(programs)
const shell = system('sh')
const sh = (script: string, options: CommandOptions<undefined, undefined> = {}): Command =>
  commandRoot(openRoot(shell.root), shell.name, ['-c', script], options)

/** All lines, and what the loop returns. */
async function all(command: Command): Promise<{ lines: string[]; status: CommandStatus & { timedOut: boolean } }> {
  const lines: string[] = []
  const loop = command.lines()
  for (;;) {
    const { done, value } = await loop.next()
    if (done) return { lines, status: value }
    lines.push(value)
  }
}

const ok = { code: 0, signal: null, success: true, timedOut: false }

test('lines end at \\n, a \\r before it is cut, and a last one needs none', async (t) => {
  for (const [text, lines] of [
    ['one\\ntwo\\n', ['one', 'two']],
    ['one\\ntwo', ['one', 'two']],
    ['one\\r\\ntwo\\r\\n', ['one', 'two']],
    ['\\n\\n', ['', '']],
    ['', []],
    ['a\\rb\\n', ['a\rb']],
    ['gr\\303\\274n\\n', ['grün']],
  ] as const) {
    t.deepEqual(await all(sh(`printf '${text}'`)), { lines: [...lines], status: ok }, text)
  }
})

test('lines come while the program runs', async (t) => {
  const loop = sh('echo ready; read line; echo "got $line"', { stdio: ['pipe', 'pipe', 'pipe'] as never }).lines()
  t.deepEqual(await loop.next(), { done: false, value: 'ready' })
  t.deepEqual(await loop.next(), { done: false, value: 'got ' }) // its input is at its end
  t.deepEqual(await loop.next(), { done: true, value: ok })
})

test('long lines and many of them arrive whole', async (t) => {
  const { lines } = await all(
    sh(`i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; head -c 300000 /dev/zero | tr '\\0' x`),
  )
  t.is(lines.length, 3001)
  t.is(lines[2999], 'line 2999')
  t.is(lines[3000], 'x'.repeat(300_000))
})

test('input is written', async (t) => {
  const { lines } = await all(commandRoot(root, 'reporter', ['cat'], { input: 'a\nb' }))
  t.deepEqual(lines, ['a', 'b'])
})

test('how it ended is returned, and with check thrown', async (t) => {
  const script = 'echo out; echo err >&2; exit 3'
  t.deepEqual(await all(sh(script)), { lines: ['out'], status: { ...ok, code: 3, success: false } })
  const error = await rejects(t, all(sh(script, { check: true })), 'ERR_EXIT', ['ended with 3', 'err'])
  t.true(error instanceof ExitError)
  t.is(String((error as unknown as ExitError).output.stderr), 'err\n')
  const { status } = await all(sh('echo out; sleep 60', { timeout: 100, killScope: 'group' }))
  t.deepEqual(status, { code: null, signal: 'SIGTERM', success: false, timedOut: true })
})

test('maxBuffer bounds one line', async (t) => {
  const script = 'echo 123456; echo 1234567; echo end'
  await rejects(t, all(sh(script, { maxBuffer: 6 })), 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
  t.deepEqual((await all(sh(script, { maxBuffer: 6, overflow: 'discard' }))).lines, ['123456', '123456', 'end'])
  t.deepEqual((await all(sh(script, { maxBuffer: 7 }))).lines, ['123456', '1234567', 'end'])
})

test('what passes maxBuffer is ended as by an abort, and its error carries what there is', async (t) => {
  const overflow = async (script: string, options: CommandOptions<undefined, undefined> = {}) => {
    const command = sh(`echo why >&2; ${script}`, { maxBuffer: 6, ...options })
    const { path, output } = await rejects(t, all(command), 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER', ['stdout'])
    const { pid, code, signal, success, stdout, stderr, truncated, timedOut } = output as CommandOutput<string | Buffer>
    t.false(childrenOf().some((child) => child.pid === pid))
    t.is(path, shell.name)
    return { ended: code ?? signal, success, stdout: String(stdout), stderr: String(stderr), truncated, timedOut }
  }
  const ended = { ended: 'SIGTERM', success: false, stdout: '', stderr: 'why\n', truncated: true, timedOut: false }
  t.deepEqual(await overflow('echo 1234567; exec sleep 60'), ended)
  t.deepEqual(await overflow('echo 1234567; exec sleep 60', { killSignal: 'SIGINT' }), { ...ended, ended: 'SIGINT' })
  const stubborn = "trap '' TERM; echo 1234567; while :; do sleep 1; done"
  t.deepEqual(await overflow(stubborn, { forceKillAfter: 50, killScope: 'group' }), { ...ended, ended: 'SIGKILL' })
  // Nobody waits for who else holds its pipes.
  t.deepEqual(await overflow('(exec sleep 5) & echo 1234567; exec sleep 60'), ended)
})

test('leaving the loop early ends the program and reaps it', async (t) => {
  const before = openDescriptors()
  let pid = 0
  for await (const line of sh('echo $$; exec sleep 60').lines()) {
    pid = Number(line)
    break
  }
  t.true(pid > 0)
  t.false(isAlive(pid))
  t.false(childrenOf().some((child) => child.pid === pid))
  await until(() => openDescriptors() <= before + 8) // the engine's own, where this was the first start
})

test('what does not start, and an abort, throw at the loop', async (t) => {
  for (const command of [
    commandRoot(root, 'nothing', ['secret']),
    commandRoot(root, '..'),
    commandRoot(root, 'reporter', [], { cwd: '/nowhere/at/all' }),
    commandRoot(root, 'reporter', [], { stdio: ['pipe', 'pipe', 'pipe', 987_654] }),
    commandRoot(openRoot('/etc'), 'passwd'),
  ]) {
    const form = (error: unknown) => ({ ...(error as object), message: String(error) })
    const error = await all(command).catch(form)
    t.deepEqual(error, await command.output().catch(form))
    t.true('step' in error)
  }
  const controller = new AbortController()
  const loop = sh('echo ready; exec sleep 60', { signal: controller.signal }).lines()
  t.is((await loop.next()).value, 'ready')
  controller.abort(new Error('enough'))
  const aborted = await rejects(t, loop.next(), 'ABORT_ERR')
  t.is((aborted.cause as Error).message, 'enough')
  t.is((aborted.output as CommandOutput).signal, 'SIGTERM')
  await rejects(t, all(sh('exit 0', { signal: AbortSignal.abort() })), 'ABORT_ERR')
})

test('after an abort or its time it does not wait for pipes that others hold', async (t) => {
  const holding = (options: CommandOptions<undefined, undefined>) => sh('echo $$; sleep 60 & echo $!', options)
  const timed = await all(holding({ timeout: 1000 }))
  process.kill(Number(timed.lines[1]), 'SIGKILL')
  t.deepEqual(timed.status, { code: 0, signal: null, success: false, timedOut: true })

  const controller = new AbortController()
  const loop = holding({ signal: controller.signal }).lines()
  const shell = Number((await loop.next()).value)
  const holder = Number((await loop.next()).value)
  await until(() => !childrenOf().some(({ pid }) => pid === shell))
  controller.abort()
  await rejects(t, loop.next(), 'ABORT_ERR')
  process.kill(holder, 'SIGKILL')

  const waited = await all(holding({ waitDelay: 50 }))
  process.kill(Number(waited.lines[1]), 'SIGKILL')
  t.deepEqual(waited.status, ok)
})

test('what lines() cannot give is refused at once', (t: ExecutionContext) => {
  refuses(t, () => commandRoot(root, 'x', [], { encoding: 'utf16le' }).lines(), 'ERR_INVALID_ARG_VALUE', ['encoding'])
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const
  refuses(t, () => commandRoot(root, 'x', [], { stdio }).lines(), 'ERR_INVALID_ARG_VALUE', ['options.stdio[3]'])
})
