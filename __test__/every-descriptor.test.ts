// A start wants descriptors: for the program, its pipes, its pidfd, … Whichever of them cannot be had, the start fails
// with EMFILE and the step, leaves nothing, and works with the last one.

import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { askParent } from './support/parents.ts'
import { programs, reporter, system } from './support/programs.ts'
import { errnoOf, scratch } from './support/system.ts'

interface Attempt {
  told: Record<string, unknown>
  /** Descriptors, children, threads. */
  left: object[]
}

/** A program, scripts, and a program whose loader is not there. */
function place(t: ExecutionContext): string {
  const directory = scratch(t)
  const program = fs.readFileSync(reporter)
  const write = (name: string, content: string | Buffer) =>
    fs.writeFileSync(path.join(directory, name), content, { mode: 0o755 })
  write('tool', program)
  write('script', '#!/tool\n')
  write('shell-script', '#!/bin/sh\nexit 3\n')
  const loader = program.indexOf('/ld-')
  if (loader >= 0) program.write('/no-', loader, 'latin1')
  write('no-loader', program)
  return directory
}

const ask = <Answer>(directory: string, args: string[] = [], env: Record<string, string> = {}) =>
  askParent<Answer>('every-descriptor.mjs', {
    args: [programs, directory, ...args],
    launcher: [system('sh').path, '-c', 'ulimit -n 80; exec "$0" "$@"'],
    env: { ...process.env, ...env },
  })

const unstarted = ['undefined', 'undefined', 'undefined', 'undefined']
const eventOf = { streams: unstarted, pid: 'undefined', seen: [['error', 'EMFILE', 'spawn']] }
const numbers = { close: errnoOf('EMFILE'), exitCode: errnoOf('EMFILE') }
const steps = new Set(['resolve', 'open', 'script', 'seal', 'chdir', 'fds', 'fork'])

/** A failure for want of a descriptor, in the form of the way it was asked in. */
function isShortage(t: ExecutionContext, { told, left }: Attempt, about: string): void {
  const { step, ...rest } = told
  if ('seen' in told) t.deepEqual(rest, { ...eventOf, ...numbers }, about)
  else {
    t.like(rest, { code: 'EMFILE', errno: errnoOf('EMFILE'), started: false }, about)
    t.is(typeof rest.syscall, 'string', about)
  }
  if (!about.startsWith('node')) t.true(steps.has(String(step)), `${about}: ${step}`)
  // child_process leaves sockets of its own.
  if (!about.startsWith('node')) t.deepEqual(left, [], about)
}

const outcomes: Record<string, unknown> = {
  'scripts: root': 0,
  'a script, denied': 'ERR_SCRIPT_DENIED',
  'an interpreter that is not there': 'ENOENT',
  'a loader that is not there': 'ENOENT',
}

for (const [title, env] of [
  ['', {}],
  [', by fork', { COMMAND_ROOT_FORK: '1' }],
  [', by the walk', { COMMAND_ROOT_WALK: '1' }],
] as const) {
  test(`EMFILE at every descriptor of a start${title}`, async (t) => {
    const results = await ask<Record<string, Attempt[]>>(place(t), [], env)
    t.is(Object.keys(results).length, 24)
    for (const [name, attempts] of Object.entries(results)) {
      const last = attempts.at(-1)
      t.true(attempts.length > 1, `${name}: it wants no descriptor?`)
      for (const [count, attempt] of attempts.slice(0, -1).entries()) isShortage(t, attempt, `${name}, ${count} free`)
      t.deepEqual(last?.left, [], name)
      if (!last || !('seen' in last.told)) t.is(last?.told.code, outcomes[name] ?? 3, name)
    }
    for (const stdio of ['ignored', 'pipes', 'five pipes']) {
      const [ours, nodes] = ['spawn', 'node'].map((way) => results[`${way}, ${stdio}`]?.at(-1)?.told)
      t.deepEqual(ours, nodes, stdio)
    }
  })
}

for (const way of ['spawn, pipes', 'output', 'outputSync', 'lines']) {
  test(`EMFILE at every descriptor of the first start of all: ${way}`, async (t) => {
    const [directory, kept]: [string, string[][]] = [place(t), []]
    for (let count = 0; ; count++) {
      const attempt = await ask<Attempt & { again: number; kept: string[] }>(directory, [way, String(count)])
      kept.push(attempt.kept)
      t.is(attempt.again, 3, `${count} free`)
      if ((attempt.told.code ?? attempt.told.exitCode) === 3) break
      isShortage(t, attempt, `${way}, ${count} free`)
    }
    t.true(kept.length > 4)
    // As if it had not failed before; but a poller does without a timerfd where it found none free.
    const without = (open: string[] = []) => open.filter((target) => !target.includes('timerfd'))
    for (const open of kept) t.deepEqual(without(open), without(kept.at(-1)))
  })
}
