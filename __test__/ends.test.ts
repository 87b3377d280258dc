// Ends that are not a child's alone: this process's and its workers' while children run, children that nobody waits
// for, and those of other code in the same process.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { askParent, runParent } from './support/parents.ts'
import { neighbour, programs, without } from './support/programs.ts'
import { isRoot, processes, scratch } from './support/system.ts'

// ---- this process ------------------------------------------------------------------------------------

/** The processes that have this word as their last argument. */
function called(word: string): number[] {
  return processes().flatMap(({ pid, state }) => {
    try {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return state !== 'Z' && words.at(-2) === word ? [pid] : []
    } catch {
      return [] // ended meanwhile
    }
  })
}

for (const how of [
  'exit',
  'exit on SIGTERM',
  'exception',
  'rejection',
  'SIGTERM',
  'SIGKILL',
  'unref',
  'exit in a listener',
  'exception in a listener',
]) {
  test.serial(`this process ends while children run, and others begin: ${how}`, async (t) => {
    const ends = async (way: 'ours' | 'node') => {
      const token = `${path.basename(scratch(t))}-${way}`
      const { code, signal } = await runParent('ending-parent.mjs', { args: [way, how, programs, token] })
      // They sleep for long: it did not wait for them, and they are not ended by its end.
      const alive = called(token)
      for (const pid of alive) process.kill(pid, 'SIGKILL')
      return { code, signal, left: alive.length >= 8 }
    }
    const nodes = await ends('node')
    t.true(nodes.left)
    t.deepEqual(await ends('ours'), nodes)
  })
}

// ---- workers -------------------------------------------------------------------------------------------

interface Workers {
  before: Record<string, number>
  after: Record<string, number>
  errors: unknown[]
  own: unknown
  sleeping: string
}

for (const how of ['at once', 'online', 'import', 'start', 'running', 'exit', 'exit later', 'throw']) {
  test.serial(`workers end while they start children, and leave nothing: ${how}`, async (t) => {
    const { before, after, errors, own, sleeping } = await askParent<Workers>('workers.mjs', { args: [programs, how] })
    for (const [name, number] of Object.entries(before)) t.true((after[name] ?? 0) <= number, `${name}: ${after[name]}`)
    t.deepEqual(new Set(errors), new Set([how === 'throw' ? 'enough' : null]))
    t.deepEqual(own, { code: 3, stdout: 'still here' })
    t.is(sleeping, 'SIGKILL')
  })
}

// ---- children of nobody, and of others -----------------------------------------------------------------

test('children that nobody waits for are reaped', async (t) => {
  const { most, left } = await askParent<{ most: number; left: object[] }>('unwaited.mjs', { args: [programs] })
  t.true(most > 10)
  t.deepEqual(left, [])
})

test('other code has its own children, and we have ours', async (t) => {
  const { results, ...rest } = await askParent<{ results: Record<string, boolean[]>; neighbour: number }>(
    'others.mjs',
    {
      args: [programs, neighbour, path.join(scratch(t), 'told')],
    },
  )
  t.is(Object.keys(results).length, 9)
  for (const [name, right] of Object.entries(results)) t.deepEqual(right, [true, true, true, true, true], name)
  t.deepEqual(rest, { neighbour: 200 })
})

/** A process with numbers of its own to choose from, so that nobody else gets one too early. */
const numbered = ['unshare', '--pid', '--fork', '--mount-proc']
const canNumber = isRoot && spawnSync(numbered[0] ?? '', [...numbered.slice(1), 'true']).status === 0

for (const scope of ['process', 'group']) {
  test(`signals do not reach who has got the number of a child that others have reaped: ${scope}`, async (t) => {
    if (!canNumber) {
      t.log('skipped: choosing the number of a process takes root and unshare(1)')
      t.pass()
      return
    }
    for (const refused of ['', 'pidfd_send_signal', 'pidfd_send_signal:group=EINVAL']) {
      const launcher = ['/usr/bin/env', ...numbered, ...(refused ? [without, refused, '--'] : [])]
      const seen = await askParent('reused-number.mjs', { launcher, args: [programs, neighbour, scope] })
      t.deepEqual(seen, { sent: [false, false], survived: true }, refused)
    }
  })
}
