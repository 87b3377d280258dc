// One suite for every runtime: a plain script, so that it needs no test runner of any of them. `npm run test:runtimes`.

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { commandFd, commandRoot, ExitError, openRoot, probe } from 'command-root'

const cases = []
const test = (name, act) => cases.push({ name, act })

const root = openRoot('/', { resolve: 'in-root' })
/** A shell, which is at that place on every system. */
const sh = (script, options) => commandRoot(root, 'bin/sh', ['-c', script], options)
const utf8 = { encoding: 'utf8' }

const MiB = 1 << 20

/** How this runtime runs a script. */
const runtime = process.versions.deno ? ['run', '--allow-all'] : []
const fixture = (name) => fileURLToPath(new URL(name, import.meta.url))
const runScript = (name, ...args) =>
  commandRoot(root, process.execPath.slice(1), [...runtime, fixture(name), ...args], {
    ...utf8,
    timeout: 20_000,
  }).output()

// ---- roots ---------------------------------------------------------------------------------------------

test('what it is asked for it finds beneath the root, and nowhere else', () => {
  const usr = openRoot('/usr')
  assert.ok(usr.fd >= 0)
  assert.throws(() => usr.openExecutable('../etc/passwd'), { code: 'ERR_PATH_ESCAPES_ROOT' })
  assert.throws(() => usr.openExecutable('none'), { code: 'ENOENT', path: 'none' })
  assert.throws(() => openRoot('/', { resolv: 'in-root' }), { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' })
  usr.close()
  assert.equal(usr.fd, -1)
  assert.throws(() => usr.openRoot('lib'), { code: 'ERR_ROOT_CLOSED' })
})

test('probe() answers', () => {
  assert.equal(typeof probe().fork, 'string')
})

// ---- output() ------------------------------------------------------------------------------------------

test('output() gives what was written, and how it ended', async () => {
  const output = await sh('echo out; echo err >&2; exit 3', utf8).output()
  assert.deepEqual([output.stdout, output.stderr, output.code, output.signal], ['out\n', 'err\n', 3, null])
  assert.ok(output.resourceUsage.maxRSS > 0)
  assert.equal((await sh('kill -TERM $$').output()).signal, 'SIGTERM')
})

test('outputSync() does too', () => {
  assert.equal(sh('cat', { ...utf8, input: 'in' }).outputSync().stdout, 'in')
})

test('output() of 16 MiB, in and out', async () => {
  const input = Buffer.alloc(16 * MiB, 'x')
  const { stdout } = await sh('cat', { input }).output()
  assert.ok(stdout.equals(input))
})

test('output() fails with what was read until then', async () => {
  await assert.rejects(sh('echo why >&2; exit 4', { ...utf8, check: true }).output(), (error) => {
    assert.ok(error instanceof ExitError)
    assert.deepEqual([error.code, error.output.code, error.output.stderr], ['ERR_EXIT', 4, 'why\n'])
    return true
  })
  const endless = sh('while :; do echo line; done', { maxBuffer: 1000 })
  await assert.rejects(endless.output(), { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' })
  await assert.rejects(commandRoot(root, 'bin/none').output(), { code: 'ENOENT', step: 'resolve' })
})

test('output() ends at its time, and when aborted', async () => {
  assert.equal((await sh('exec sleep 1000', { timeout: 100 }).output()).timedOut, true)
  const controller = new AbortController()
  const running = sh('exec sleep 1000', { signal: controller.signal }).output()
  controller.abort()
  await assert.rejects(running, { name: 'AbortError', code: 'ABORT_ERR' })
})

test('many at once', async () => {
  const codes = Array.from({ length: 60 }, (_, i) => i)
  const outputs = await Promise.all(codes.map((code) => sh(`exit ${code}`).output()))
  assert.deepEqual(
    outputs.map(({ code }) => code),
    codes,
  )
  const exits = await Promise.all(codes.map((code) => sh(`exit ${code}`, { stdio: 'ignore' }).spawn().status))
  assert.deepEqual(
    exits.map(({ code }) => code),
    codes,
  )
})

test('lines()', async () => {
  const lines = []
  for await (const line of sh('printf "a\\nb\\r\\nc"', utf8).lines()) lines.push(line)
  assert.deepEqual(lines, ['a', 'b', 'c'])
  for await (const line of sh('while :; do echo line; done').lines()) {
    assert.equal(line, 'line')
    break
  }
})

// ---- spawn() -------------------------------------------------------------------------------------------

test('spawn(): events in their order, streams, status', async () => {
  const child = sh('cat; echo done >&2').spawn()
  assert.ok(child instanceof ChildProcess)
  const told = []
  for (const event of ['spawn', 'exit', 'close']) child.on(event, (...args) => told.push([event, ...args]))
  const both = [text(child.stdout), text(child.stderr)]
  child.stdin.write('first, ')
  child.stdin.end('last')
  await once(child, 'close')
  assert.deepEqual(told, [['spawn'], ['exit', 0, null], ['close', 0, null]])
  assert.deepEqual(await Promise.all(both), ['first, last', 'done\n'])
  assert.deepEqual(await child.status, { code: 0, signal: null, success: true })
  assert.ok(child.resourceUsage().maxRSS > 0)
})

test('spawn(): a failed start', async () => {
  const child = commandRoot(root, 'bin/none').spawn()
  const [error] = await once(child, 'error')
  assert.deepEqual([error.code, error.syscall, child.pid], ['ENOENT', 'spawn bin/none', undefined])
  await once(child, 'close')
})

test('spawn(): 8 MiB written and read, with pressure back', async () => {
  const child = sh('cat').spawn()
  const chunk = Buffer.alloc(64 * 1024, 'y')
  let read = 0
  child.stdout.on('data', (data) => {
    read += data.length
  })
  for (let i = 0; i < 128; i++) if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
  child.stdin.end()
  await once(child, 'close')
  assert.equal(read, 8 * MiB)
})

test('spawn(): what is not read is not taken from the child', async () => {
  const child = sh('while :; do echo 0123456789012345678901234567890123456789; done').spawn()
  child.stdout.once('data', () => child.stdout.pause())
  await sleep(300)
  assert.ok(child.stdout.readableLength < 4 * MiB, String(child.stdout.readableLength))
  child.stdout.destroy() // and now nobody reads: EPIPE or SIGPIPE ends it
  child.stdin.destroy()
  child.stderr.resume()
  const [code, signal] = await once(child, 'close')
  assert.ok(code !== 0 || signal === 'SIGPIPE')
})

test('spawn(): a child that does not read', async () => {
  const child = sh('exec 0<&-; exec sleep 1000', { stdio: ['pipe', 'ignore', 'ignore'] }).spawn()
  const writing = once(child.stdin, 'error')
  const timer = setInterval(() => child.stdin.write('x'), 20)
  const [error] = await writing
  clearInterval(timer)
  assert.equal(error.code, 'EPIPE')
  child.kill('SIGKILL')
  assert.equal((await child.status).signal, 'SIGKILL')
})

test('spawn(): a pipe both ways, a descriptor, merged output', async () => {
  const wide = sh('read x <&3; echo "got $x" >&3', { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] }).spawn()
  const answer = text(wide.stdio[3])
  wide.stdio[3].write('that\n')
  assert.equal(await answer, 'got that\n')
  const merged = sh('echo out; echo err >&2', { stdio: ['ignore', 'pipe', 'stdout'] }).spawn()
  assert.equal(await text(merged.stdout), 'out\nerr\n')
  const file = fs.openSync('/dev/null', 'r')
  assert.equal((await sh('cat', { stdio: [file, 'pipe', 'pipe'], ...utf8 }).output()).stdout, '')
  fs.closeSync(file)
})

test('spawn(): ended by kill(), by disposal, by its time', async () => {
  const killed = sh('exec sleep 1000').spawn()
  assert.ok(killed.kill('SIGINT'))
  assert.deepEqual(await once(killed, 'exit'), [null, 'SIGINT'])
  const disposed = sh('exec sleep 1000').spawn()
  await disposed[Symbol.asyncDispose]()
  assert.equal(disposed.signalCode, 'SIGTERM')
  const late = sh('exec sleep 1000', { timeout: 50, killSignal: 'SIGKILL' }).spawn()
  assert.deepEqual(await once(late, 'exit'), [null, 'SIGKILL'])
})

test('spawn(): pipes that others hold open are closed after waitDelay', async () => {
  const child = sh('sleep 1000 & echo $!', { waitDelay: 50 }).spawn()
  const pid = text(child.stdout).catch((error) => error)
  let holder
  child.stdout.once('data', (data) => {
    holder = Number(data)
  })
  await once(child, 'close')
  process.kill(holder, 'SIGKILL')
  await pid
})

test('a program held by descriptor', async () => {
  const program = root.openExecutable('bin/sh')
  assert.equal((await commandFd(program, ['-c', 'echo held'], utf8).output()).stdout, 'held\n')
  program.close()
})

// ---- the event loop ------------------------------------------------------------------------------------

test('AsyncLocalStorage is kept', async () => {
  const storage = new AsyncLocalStorage()
  const seen = await storage.run('mine', () => {
    const child = sh('exit 0', { stdio: 'ignore' }).spawn()
    return new Promise((resolve) => child.on('exit', () => resolve(storage.getStore())))
  })
  assert.equal(seen, 'mine')
})

test('a script stays while its child runs, and goes when nothing holds it', async () => {
  const { stdout, code, timedOut } = await runScript('loop.mjs')
  assert.deepEqual([stdout, code, timedOut], ['exit 7\n', 0, false])
})

test('a listener that throws is an uncaughtException, and the others are told', async () => {
  const { stdout, code, timedOut } = await runScript('throws.mjs')
  assert.deepEqual([stdout, code, timedOut], ['mine; told 3\n', 0, false])
})

// ---- what is left --------------------------------------------------------------------------------------

const hasProc = fs.existsSync('/proc/self/fd')

/** Where each descriptor leads, but for what a runtime opens and closes by itself. */
function descriptors() {
  return fs
    .readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/, 'N')]
      } catch {
        return [] // that of the directory itself
      }
    })
    .sort()
}

/** The processes of which this one is the parent. */
function children() {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      return fs
        .readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/.*\) \w+ /s, '')
        .startsWith(`${process.pid} `)
    } catch {
      return false
    }
  })
}

/** What `state` says, as soon as it is `wanted`; what it says in the end where it never is. */
async function settled(state, wanted) {
  for (let tries = 0; tries < 100 && JSON.stringify(state()) !== JSON.stringify(wanted); tries++) await sleep(50)
  return state()
}

const useOnce = async () => {
  const child = sh('cat', { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }).spawn()
  child.stdin.end('x')
  child.stdio[3].destroy()
  await once(child, 'close')
  await sh('cat', { input: 'x' }).output()
  await commandRoot(root, 'bin/none')
    .output()
    .catch(() => {})
}

test('no descriptor and no process is left', async () => {
  if (!hasProc) return 'there is no /proc'
  await useOnce()
  const before = descriptors()
  for (let i = 0; i < 20; i++) await useOnce()
  assert.deepEqual(await settled(descriptors, before), before)
  assert.deepEqual(await settled(children, []), [])
})

async function endWorker(how) {
  const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: how })
  const gone = once(worker, 'exit')
  const [said] = await once(worker, 'message')
  if (how === 'terminated') await worker.terminate()
  await gone
  return said
}

/** With any addon Deno leaves the event loop of a worker that was terminated; its sockets come and go. */
const deno = 'deno' in process.versions
const ours = () => descriptors().filter((file) => !(deno && /^(anon_inode:\[event(fd|poll)\]|socket:)/.test(file)))

test('workers: their children are told of, and nothing is left of those that ended', async () => {
  assert.deepEqual(await endWorker('ends'), [5, 6])
  if (!hasProc) return 'what is left is not looked at: there is no /proc'
  await endWorker('terminated')
  assert.deepEqual(await settled(children, []), [])
  const before = ours()
  for (let i = 0; i < 5; i++) for (const how of ['ends', 'terminated']) await endWorker(how)
  assert.deepEqual(await settled(ours, before), before)
  assert.deepEqual(await settled(children, []), [])
})

// ---- one after the other -------------------------------------------------------------------------------

const only = process.argv[2]
const LIMIT_MS = 60_000
let failed = 0
const chosen = cases.filter(({ name }) => only === undefined || name.includes(only))

for (const { name, act } of chosen) {
  const limit = new AbortController()
  const late = sleep(LIMIT_MS, undefined, { signal: limit.signal }).then(() => {
    throw new Error(`not done in ${LIMIT_MS} ms`)
  })
  try {
    const note = await Promise.race([act(), late])
    console.log(`ok ${name}${note ? ` (${note})` : ''}`)
  } catch (error) {
    failed++
    console.log(`not ok ${name}\n${error.stack ?? error}`)
  }
  late.catch(() => {})
  limit.abort()
}
console.log(`${chosen.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
