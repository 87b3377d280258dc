// What a process may lack when it starts something: its own error, at that start alone.

import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { commandRoot, openRoot } from 'command-root'
import { rejects } from './support/fail.ts'
import { programs, reporter, repository } from './support/programs.ts'
import { scratch } from './support/system.ts'

const root = openRoot(programs)

/** What the fixture tells, run with so few descriptors. */
const inProcess = (name: string, descriptors = 1024): unknown =>
  JSON.parse(
    execFileSync(
      'sh',
      [
        '-c',
        `ulimit -n ${descriptors}; exec "$0" "$@"`,
        process.execPath,
        '__test__/fixtures/shortages.mjs',
        name,
        programs,
      ],
      { cwd: repository, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
    ),
  )

test('no free descriptor at the first start is that start’s error, and no other’s', (t) => {
  t.deepEqual(inProcess('no-descriptor', 64), ['EMFILE', 'EMFILE', 3, 3])
})

test('with 0 and 2 closed nothing of ours takes their place', (t) => {
  t.deepEqual(inProcess('low-descriptors'), [3, true, true])
})

test('an object in process.env’s place is the environment', (t) => {
  t.is(inProcess('environment'), true)
})

test('until its exit is heard of a child can be signalled by its number, as in child_process', (t) => {
  const seen = (start: () => { pid?: number | undefined; kill(signal: number): boolean }) => {
    const child = start()
    const until = Date.now() + 300
    while (Date.now() < until); // JavaScript is busy while it ends
    return [process.kill(child.pid ?? 0, 0), child.kill(0)]
  }
  t.deepEqual(
    seen(() => commandRoot(root, 'reporter', ['exit', '0']).spawn()),
    seen(() => spawn(reporter, ['exit', '0'])),
  )
})

test.serial('what waits for its turn to start ends by an abort or its timeout when that comes', async (t) => {
  // Each of these sleeps three times before it fails: its program is open for writing.
  const directory = scratch(t)
  const busy = path.join(directory, 'busy')
  fs.copyFileSync(reporter, busy)
  fs.chmodSync(busy, 0o755)
  const writer = fs.openSync(busy, 'r+')
  t.teardown(() => fs.closeSync(writer))
  using place = openRoot(directory)
  const failing = commandRoot(place, 'busy', [], { cwd: '/' })
  let [failed, started] = [0, 0]
  const fail = (error: { code: string }) => {
    if (error.code === 'ETXTBSY') failed++
  }
  const many = Array.from({ length: 1600 }, () => failing.output().then(() => started++, fail))

  const controller = new AbortController()
  const aborted = commandRoot(root, 'reporter', [], { signal: controller.signal }).output()
  controller.abort()
  const error = await rejects(t, aborted, 'ABORT_ERR')
  t.is(error.output, undefined)
  t.true(failed < many.length / 2, 'at once')

  const late = { timeout: 10, encoding: 'utf8' } as const
  const run = await commandRoot(root, 'reporter', ['out', 'x'], late).output()
  const { durationMs, resourceUsage, ...rest } = run
  t.deepEqual(rest, {
    pid: 0,
    code: null,
    signal: null,
    success: false,
    stdout: '',
    stderr: '',
    timedOut: true,
    truncated: false,
  })
  t.true(durationMs >= 9)
  const message = ['reporter ended after its timeout of 10 ms']
  await rejects(t, commandRoot(root, 'reporter', [], { ...late, check: true }).output(), 'ERR_EXIT', message)
  t.true(failed < many.length / 2, 'when their time was over')

  const patient = commandRoot(root, 'reporter', ['exit', '3'], { timeout: 600_000 }).output()
  await Promise.all(many)
  t.deepEqual([failed, started], [many.length, 0])
  t.is((await patient).code, 3)
})

test('an output that no string can hold is there as bytes', async (t) => {
  const size = 2 ** 29 // just above the longest string
  const output = commandRoot(root, 'reporter', ['flood', String(size)], {
    encoding: 'latin1',
    maxBuffer: Infinity,
  }).output()
  const error = await rejects(t, output, 'ERR_STRING_TOO_LONG')
  t.is((error.output as { stdout: Buffer }).stdout.length, size)
  t.true(path.isAbsolute(repository))
})
