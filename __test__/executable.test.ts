// An Executable, a number, a FileHandle: what runs is what the descriptor holds.

import fs from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CommandRootError, commandFd, commandRoot, Executable, openRoot } from 'command-root'
import { refuses, rejects, untyped } from './support/fail.ts'
import { programs, reporter, system } from './support/programs.ts'
import { isRoot, scratch } from './support/system.ts'

/** A directory with a program called `program` that can be replaced. */
function place(t: ExecutionContext): { directory: string; program: string } {
  const directory = scratch(t)
  const program = path.join(directory, 'program')
  fs.copyFileSync(reporter, program)
  fs.chmodSync(program, 0o755)
  return { directory, program }
}

test('an Executable tells what it holds', (t) => {
  using root = openRoot(programs)
  using executable = root.openExecutable('reporter')
  t.true(executable instanceof Executable)
  t.is(fs.fstatSync(executable.fd).ino, fs.statSync(reporter).ino)
  t.is(executable.name, 'reporter')
  t.is(executable.size, fs.statSync(reporter).size)
  t.is(executable.sealed, false)
  t.is(executable.sha256, undefined)
})

test('it is closed once, and refuses to run then', async (t) => {
  using root = openRoot(programs)
  const executable = root.openExecutable('reporter')
  const command = commandFd(executable, ['exit', '4'])
  t.is((await command.output()).code, 4)
  executable.close()
  executable.close()
  executable[Symbol.dispose]()
  t.is(executable.fd, -1)
  refuses(t, () => command.spawn(), 'ERR_ROOT_CLOSED')
  refuses(t, () => command.outputSync(), 'ERR_ROOT_CLOSED')
  await rejects(t, command.output(), 'ERR_ROOT_CLOSED')
})

test('it runs after its Root is closed', (t) => {
  const root = openRoot(programs)
  using executable = root.openExecutable('reporter')
  root.close()
  t.is(commandFd(executable, ['exit', '5']).outputSync().code, 5)
})

test('what was opened runs, though the file was replaced or removed', (t) => {
  const { directory, program } = place(t)
  using root = openRoot(directory)
  using executable = root.openExecutable('program')
  const command = commandFd(executable, ['exit', '6'])
  fs.renameSync(program, path.join(directory, 'elsewhere'))
  fs.copyFileSync(system('true').path, program)
  t.is(command.outputSync().code, 6)
  fs.rmSync(path.join(directory, 'elsewhere'))
  t.is(command.outputSync().code, 6)
})

test('a program without x is opened, and its start says EACCES', async (t) => {
  const { directory, program } = place(t)
  fs.chmodSync(program, 0o644)
  using root = openRoot(directory)
  using executable = root.openExecutable('program')
  for (const command of [commandFd(executable), commandRoot(root, 'program')]) {
    const error = await rejects(t, command.output(), 'EACCES')
    t.true(error instanceof CommandRootError)
    t.is(error.step, 'exec')
    t.is(error.path, 'program')
  }
})

const asUser = isRoot ? test.skip : test
asUser(`x alone is enough${isRoot ? ' (root reads everything)' : ''}`, (t) => {
  const { directory, program } = place(t)
  fs.chmodSync(program, 0o111)
  using root = openRoot(directory)
  t.is(commandRoot(root, 'program', ['exit', '3']).outputSync().code, 3)
})

test('options of openExecutable are checked', (t) => {
  using root = openRoot(programs)
  const openExecutable = (options: unknown) =>
    (root as unknown as { openExecutable: (name: string, options: unknown) => Executable }).openExecutable(
      'reporter',
      options,
    )
  for (const [options, code, words] of [
    [{ sael: true }, 'ERR_INVALID_ARG_VALUE', ['sael', 'seal']],
    [{ seal: 'yes' }, 'ERR_INVALID_ARG_TYPE', ['seal']],
    ['seal', 'ERR_INVALID_ARG_TYPE', ['options']],
  ] as const) {
    refuses(t, () => openExecutable(options), code, words, JSON.stringify(options))
  }
  for (const options of [undefined, {}, { seal: false }, { seal: undefined }]) openExecutable(options).close()
  t.pass()
})

// ---- commandFd -----------------------------------------------------------------------------------

test('a descriptor given as a number runs, and stays the caller’s', async (t) => {
  const fd = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(fd))
  const command = commandFd(fd, ['exit', '7'])
  t.is((await command.output()).code, 7)
  t.is(command.outputSync().code, 7)
  t.true(fs.fstatSync(fd).isFile())
})

test('a FileHandle runs, and stays open', async (t) => {
  const file = await open(reporter, 'r')
  const command = commandFd(file, ['exit', '8'])
  t.is((await command.output()).code, 8)
  t.true((await file.stat()).isFile())
  await file.close()
  const error = await rejects(t, command.output(), 'EBADF')
  t.true(error instanceof Error)
})

test('the descriptor is duplicated before a starting call returns', async (t) => {
  const fd = fs.openSync(reporter, 'r')
  const running = commandFd(fd, ['exit', '9']).output()
  fs.closeSync(fd)
  t.is((await running).code, 9)
})

// No other test of this process may take the number meanwhile.
test.serial('another file behind the number is ESTALE', async (t) => {
  const other = system('true').path
  const fd = fs.openSync(reporter, 'r')
  const command = commandFd(fd, ['exit', '9'])
  fs.closeSync(fd)
  const again = fs.openSync(other, 'r')
  t.teardown(() => fs.closeSync(again))
  t.is(again, fd, 'the kernel gives the lowest number')
  await rejects(t, command.output(), 'ESTALE')
  refuses(t, () => command.outputSync(), 'ESTALE')
  t.is(commandFd(again).outputSync().code, 0)
})

test.serial('a closed number is EBADF', async (t) => {
  const fd = fs.openSync(reporter, 'r')
  const command = commandFd(fd)
  fs.closeSync(fd)
  await rejects(t, command.output(), 'EBADF')
  refuses(t, () => commandFd(987_654), 'EBADF')
})

test('what is no program is refused', async (t) => {
  for (const file of [programs, '/dev/null']) {
    const fd = fs.openSync(file, 'r')
    t.teardown(() => fs.closeSync(fd))
    const refused = (async () => commandFd(fd).output())()
    await rejects(t, refused, 'EACCES', [], file)
  }
})

test('what is no descriptor at all is a wrong argument', (t) => {
  for (const [given, code] of [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['reporter', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [openRoot(programs), 'ERR_INVALID_ARG_TYPE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [1.5, 'ERR_OUT_OF_RANGE'],
    [2 ** 31, 'ERR_OUT_OF_RANGE'],
  ] as const) {
    refuses(t, () => untyped.commandFd(given), code, [], String(given))
  }
})

// ---- scripts -------------------------------------------------------------------------------------

test('a script is refused, with its interpreter and the cure', async (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'script'), '#!/bin/sh -e\nexit 0\n', { mode: 0o755 })
  fs.writeFileSync(path.join(directory, 'text'), 'no program\n', { mode: 0o755 })
  using root = openRoot(directory)
  using executable = root.openExecutable('script')
  for (const command of [
    commandRoot(root, 'script'),
    commandFd(executable),
    commandRoot(root, 'script', [], { scripts: 'deny' }),
  ]) {
    const error = await rejects(t, command.output(), 'ERR_SCRIPT_DENIED', ['script', '/bin/sh', 'scripts'])
    t.true(error instanceof CommandRootError)
    refuses(t, () => command.spawn(), 'ERR_SCRIPT_DENIED', ['/bin/sh'])
    refuses(t, () => command.outputSync(), 'ERR_SCRIPT_DENIED', ['/bin/sh'])
  }
  await rejects(t, commandRoot(root, 'text').output(), 'ENOEXEC')
})
