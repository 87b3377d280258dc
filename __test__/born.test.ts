// A child that is killed, stopped or held in the middle of its start, at a known call of it: the start fails or works,
// never hangs, and leaves nothing.

import test from 'ava'
import { type Ended, runParent } from './support/parents.ts'
import { neighbour, programs } from './support/programs.ts'

interface Answer {
  results: Record<string, unknown>
  left: object
}

async function ask(fate: string, call: string, env: object): Promise<Answer & Pick<Ended, 'stderr'>> {
  const args = [programs, neighbour, fate, call]
  const { code, signal, stdout, stderr } = await runParent('born.mjs', { args, env: { ...process.env, ...env } })
  if (code !== 0) throw new Error(`it ended with ${signal ?? code}: ${stderr}`)
  return { ...(JSON.parse(stdout) as Answer), stderr }
}

const ways = ['spawn', 'output', 'outputSync', 'lines']
const all = (result: object) => Object.fromEntries(ways.map((way) => [way, result]))
const nothing = { descriptors: 0, children: 0 }
const failure = (code: string, step: string, more = {}) => ({ name: 'CommandRootError', code, step, ...more })
const exited = (more = {}) => ({ code: 3, signal: null, ...more })

/** Each a call that only the child makes, and the step of the start that it belongs to. */
const calls = [
  ['close_range', 'fds'],
  ['fchdir', 'chdir'],
  ['setsid', 'setsid'],
  ['setpgid', 'setpgid'],
] as const

for (const [title, env] of [
  ['', {}],
  [', by fork', { COMMAND_ROOT_FORK: '1' }],
] as const) {
  // Where the child begins in the parent's descriptor table, the parent itself makes this call too.
  const own = 'COMMAND_ROOT_FORK' in env ? ([['dup3', 'fds']] as const) : []
  for (const [call, step] of [...own, ...calls]) {
    test.serial(`killed at ${call}: an error that says so${title}`, async (t) => {
      const { results, left } = await ask('kill', call, env)
      t.deepEqual(results, all(failure('EINTR', step, { by: 'SIGSYS' })))
      t.deepEqual(left, nothing)
    })

    test.serial(`stopped at ${call}: it goes on${title}`, async (t) => {
      const { results, left, stderr } = await ask('stop', call, env)
      t.is(stderr.match(/^stopped \d+$/gm)?.length, ways.length)
      t.deepEqual(results, { ...all(exited({ timedOut: false })), spawn: exited() })
      t.deepEqual(left, nothing)
    })
  }
}

test('held for good: it is killed at its deadline, at an abort, or after the longest time for a start', async (t) => {
  const { results, left } = await ask('hold', 'close_range', {})
  const late = failure('ETIMEDOUT', 'fds')
  const abort = { name: 'AbortError', code: 'ABORT_ERR' }
  t.deepEqual(results, { timeout: late, timeoutSync: late, abort, spawn: late })
  t.deepEqual(left, nothing)
})

test('no more processes: EAGAIN at the fork', async (t) => {
  const { results, left } = await ask('EAGAIN', '', {})
  t.deepEqual(results, all(failure('EAGAIN', 'fork')))
  t.deepEqual(left, nothing)
})
