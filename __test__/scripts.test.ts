// `#!`: refused, run as the kernel does it, or with the interpreter found inside the Root.

import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commandFd, commandRoot, openRoot, type Root } from 'command-root'
import { refuses, rejects } from './support/fail.ts'
import { parseReport, reporter } from './support/programs.ts'
import { scratch } from './support/system.ts'

interface Place {
  directory: string
  root: Root
  script(name: string, line: string, rest?: string): void
}

/** A Root with bin/interp, which is the reporter, and scripts. */
function place(t: ExecutionContext): Place {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'bin'))
  fs.copyFileSync(reporter, path.join(directory, 'bin/interp'))
  fs.chmodSync(path.join(directory, 'bin/interp'), 0o755)
  const root = openRoot(directory)
  t.teardown(() => root.close())
  const script = (name: string, line: string, rest = '') =>
    fs.writeFileSync(path.join(directory, name), `${line}\n${rest}`, { mode: 0o755 })
  return { directory, root, script }
}

test("'kernel' runs a script as execve does, $0 being its descriptor", async (t) => {
  const { root, script } = place(t)
  script('script', '#!/bin/sh -e', 'echo "$0 $*"; false; echo not reached')
  const options = { scripts: 'kernel', encoding: 'utf8' } as const
  const { stdout, code } = await commandRoot(root, 'script', ['a', 'b'], options).output()
  t.deepEqual([stdout, code], ['/dev/fd/3 a b\n', 1])
  using executable = root.openExecutable('script')
  t.is(commandFd(executable, ['c'], options).outputSync().stdout, '/dev/fd/3 c\n')
  const more = commandRoot(root, 'script', [], {
    scripts: 'kernel',
    stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore'],
  })
  t.is(String(more.outputSync().stdout), '/dev/fd/5 \n')
})

test('an interpreter that the kernel does not find is ENOENT, and named', async (t) => {
  const { root, script } = place(t)
  script('script', '#!/no/such/interpreter')
  const command = commandRoot(root, 'script', [], { scripts: 'kernel' })
  const error = await rejects(t, command.output(), 'ENOENT', ['/no/such/interpreter is missing'])
  t.is(error.step, 'exec')
})

test("'kernel' and 'root' change nothing for programs", (t) => {
  const { root } = place(t)
  for (const scripts of ['kernel', 'root'] as const) {
    const report = parseReport(commandRoot(root, 'bin/interp', [], { scripts }).outputSync().stdout)
    t.deepEqual(
      report.fds.map(({ fd }) => fd),
      [0, 1, 2],
    )
  }
})

test("'root' finds the interpreter inside the Root and starts it by descriptor", async (t) => {
  const { directory, root, script } = place(t)
  for (const [line, before] of [
    ['#!/bin/interp', ['/bin/interp']],
    ['#! \t/bin/interp \t one argument\t ', ['/bin/interp', 'one argument']],
    ['#!bin/interp', ['bin/interp']],
    ['#!/usr/bin/env interp', ['interp']],
  ] as const) {
    script('script', line)
    const command = commandRoot(root, 'script', ['x', 'y z'], { scripts: 'root', env: { PATH: '/sbin:/bin' } })
    const report = parseReport((await command.output()).stdout)
    t.deepEqual(report.argv, [...before, '/dev/fd/3', 'x', 'y z'], line)
    t.is(report.exe, path.join(directory, 'bin/interp'), line)
    t.deepEqual(
      report.fds.map(({ fd }) => fd),
      [0, 1, 2, 3],
      line,
    )
    t.is(report.fds[3]?.target, path.join(directory, 'script'), line)
  }
})

test("what 'root' cannot run is refused, the interpreter named", async (t) => {
  const { root, directory, script } = place(t)
  fs.symlinkSync('/bin/sh', path.join(directory, 'bin/outside'))
  script('bin/script', '#!/bin/interp')
  const cases: [line: string, code: string, words: string[]][] = [
    ['#!/bin/nothing', 'ENOENT', ['/bin/nothing']],
    ['#!/bin/sh', 'ENOENT', ['/bin/sh']],
    ['#!/bin/outside', 'ERR_PATH_ESCAPES_ROOT', ['/bin/outside', '/bin/sh']],
    ['#!/../bin/sh', 'ERR_PATH_ESCAPES_ROOT', ['/../bin/sh']],
    ['#!/bin', 'EACCES', ['/bin']],
    ['#!/bin/script', 'ERR_SCRIPT_DENIED', ['/bin/script']],
    ['#!/usr/bin/env nothing', 'ENOENT', ['/bin']],
    ['#!/usr/bin/env -S interp', 'ERR_SCRIPT_DENIED', ['/usr/bin/env']],
    ['#!/usr/bin/env A=1 interp', 'ERR_SCRIPT_DENIED', ['/usr/bin/env']],
    ['#!/usr/bin/env', 'ERR_SCRIPT_DENIED', ['/usr/bin/env']],
    ['#!', 'ENOEXEC', []],
    [`#!/${'a'.repeat(300)}`, 'ENOEXEC', []],
  ]
  for (const [line, code, words] of cases) {
    script('script', line)
    const command = commandRoot(root, 'script', [], { scripts: 'root', env: { PATH: '/bin' } })
    const error = await rejects(t, command.output(), code, words, line)
    t.true(error.step === 'script' || line === '#!/bin/script', `${line}: ${error.step}`)
  }
})

test('a descriptor has no Root to find an interpreter in', (t) => {
  const fd = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(fd))
  refuses(t, () => commandFd(fd, [], { scripts: 'root' }), 'ERR_INVALID_ARG_VALUE', ['options.scripts'])
  t.is(commandFd(fd, ['exit', '4'], { scripts: 'kernel' }).outputSync().code, 4)
})

test('an Executable finds it in its own Root, which may be closed by then', (t) => {
  const { directory, script } = place(t)
  script('script', '#!/bin/interp')
  const root = openRoot(directory)
  using executable = root.openExecutable('script')
  root.close()
  const report = parseReport(commandFd(executable, [], { scripts: 'root' }).outputSync().stdout)
  t.is(report.exe, path.join(directory, 'bin/interp'))
})

test('the script that was opened is the one that runs', (t) => {
  const { directory, root, script } = place(t)
  script('script', '#!/bin/sh', 'echo first')
  using executable = root.openExecutable('script')
  fs.rmSync(path.join(directory, 'script'))
  script('script', '#!/bin/sh', 'echo second')
  const options = { scripts: 'kernel', encoding: 'utf8' } as const
  t.is(commandFd(executable, [], options).outputSync().stdout, 'first\n')
})

test('with seal, script and interpreter are both sealed', (t) => {
  const { root, script } = place(t)
  script('script', '#!/bin/interp')
  const report = parseReport(commandRoot(root, 'script', [], { scripts: 'root', seal: true }).outputSync().stdout)
  t.is(report.exe, '/memfd:interp (deleted)')
  t.is(report.fds[3]?.target, '/memfd:script (deleted)')
})
