// What a process may lack when it starts something: its own error, at that start alone.

import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import test from 'ava'
import { commandRoot, openRoot } from 'command-root'
import { rejects } from './support/fail.ts'
import { programs, reporter, repository } from './support/programs.ts'

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

test('what waits for its turn can be aborted at once, and its time passes too', async (t) => {
  const many = Array.from({ length: 200 }, () => commandRoot(root, 'reporter', ['exit', '0']).output())
  const controller = new AbortController()
  const aborted = commandRoot(root, 'reporter', [], { signal: controller.signal }).output()
  const late = commandRoot(root, 'reporter', ['exit', '0'], { timeout: 1 }).output()
  controller.abort()
  const error = await rejects(t, aborted, 'ABORT_ERR')
  t.is(error.output, undefined)
  t.like(await late, { timedOut: true, success: false })
  t.true((await Promise.all(many)).every(({ success }) => success))
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
