// A child's status that others take: SIGCHLD ignored, somebody's waitpid(-1). It is told where the kernel remembers it,
// and otherwise is an error; never 0, and never waited for in vain.

import os from 'node:os'
import test from 'ava'
import { probe } from 'command-root'
import { askParent } from './support/parents.ts'
import { neighbour, programs, without } from './support/programs.ts'

interface Answer {
  results: Record<string, unknown>
  children: number
}

const ask = (habit: string, launcher: string[] = []) =>
  askParent<Answer>('stolen.mjs', { launcher, args: [programs, neighbour, habit] })

const started = {
  missing: { code: 'ENOENT', step: 'resolve', syscall: probe().resolve === 'openat2' ? 'openat2' : 'openat' },
  notExecutable: { code: 'EACCES', step: 'exec', syscall: 'execveat' },
}

const ended = (code: number | null, signal: string | null = null) => ({ code, signal, success: code === 0 })
const spawned = (code: number | null, signal: string | null = null) => ({
  exit: [code, signal],
  close: [code, signal],
  status: ended(code, signal),
  usage: false,
})
const run = (code: number | null, signal: string | null = null) => ({ ...ended(code, signal), timedOut: false })

const told = {
  spawn: spawned(7),
  spawnInOrder: spawned(0),
  spawnKilled: spawned(null, 'SIGKILL'),
  spawnGroup: spawned(7),
  output: run(7),
  outputInOrder: run(0),
  outputKilled: run(null, 'SIGTERM'),
  outputInTime: { ...run(null, 'SIGTERM'), timedOut: true },
  sync: run(7),
  syncKilled: run(null, 'SIGKILL'),
  lines: { seen: ['a', 'b'], ...run(7) },
  ...started,
}

const stolen = { code: 'ECHILD', step: 'wait', syscall: 'waitid' }
const lost = { ...spawned(null), status: stolen }
const failed = { ...stolen, output: run(null) }
const untold = {
  spawn: lost,
  spawnInOrder: lost,
  spawnKilled: lost,
  spawnGroup: lost,
  output: failed,
  outputInOrder: failed,
  outputKilled: failed,
  outputInTime: { ...stolen, output: { ...run(null), timedOut: true } },
  sync: failed,
  syncKilled: failed,
  lines: { seen: ['a', 'b'], ...failed },
  ...started,
}

/** Whether the kernel remembers (PIDFD_INFO_EXIT, 6.15). */
const [major = 0, minor = 0] = os.release().split('.').map(Number)
const remembers = probe().pidfd && major * 1000 + minor >= 6015

for (const habit of ['ignore-children', 'keep-no-zombies']) {
  test(`${habit}: the status is told where the kernel remembers it`, async (t) => {
    t.deepEqual(await ask(habit), { results: remembers ? told : untold, children: 0 })
  })

  test(`${habit}: a status that cannot be had is an error, and no success`, async (t) => {
    t.deepEqual(await ask(habit, [without, 'ioctl:pidfd', '--']), { results: untold, children: 0 })
  })
}

const withMemory = remembers ? test : test.skip

withMemory('reap-all (from 6.15 on): the status is told, whoever was first', async (t) => {
  const { results, children } = await ask('reap-all')
  const known = (name: string) => ({ ...(results[name] as object), usage: false }) // it is there if we were first
  const spawns = Object.fromEntries(
    Object.keys(told)
      .filter((name) => /^spawn/.test(name))
      .map((name) => [name, known(name)]),
  )
  t.deepEqual({ ...results, ...spawns }, told)
  t.is(children, 0)
})
