// What every error has, whatever it is about.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'ava'
import { type CommandOutput, CommandRootError, commandRoot, ExitError, openRoot } from 'command-root'
import { thrown } from './support/compare.ts'
import { type Coded, rejects, untyped } from './support/fail.ts'
import { runParent } from './support/parents.ts'
import { programs, reporter } from './support/programs.ts'
import { errnoOf, scratch } from './support/system.ts'

const root = openRoot(programs)

test('a failure of the system has Node’s fields and the step', async (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'plain'), '', { mode: 0o644 })
  using place = openRoot(directory)
  for (const [command, code, file] of [
    [commandRoot(root, 'missing', ['secret'], { env: { KEY: 'hidden' } }), 'ENOENT', 'missing'],
    [commandRoot(place, 'plain', ['secret'], { env: { KEY: 'hidden' } }), 'EACCES', 'plain'],
    [
      commandRoot(root, 'reporter', ['secret'], { env: { KEY: 'hidden' }, cwd: '/nowhere/at/all' }),
      'ENOENT',
      '/nowhere/at/all',
    ],
    [commandRoot(root, 'reporter', ['secret', 'x'.repeat(4_000_000)], { env: { KEY: 'hidden' } }), 'E2BIG', 'reporter'],
  ] as const) {
    const error = await rejects(t, command.output(), code)
    t.true(error instanceof CommandRootError)
    t.is(error.errno, errnoOf(code))
    t.is(error.path, file)
    t.is(typeof error.syscall, 'string')
    t.is(typeof error.step, 'string')
    t.true(error.message.includes(file), error.message)
    t.false(/secret|KEY|hidden|xxxx/.test(error.message + String(error)), 'neither arguments nor environment')
  }
})

test('classes are told apart by instanceof and by name', async (t) => {
  const error = await rejects(t, commandRoot(root, 'reporter', ['exit', '3'], { check: true }).output(), 'ERR_EXIT')
  t.deepEqual(
    [error instanceof ExitError, error instanceof CommandRootError, error instanceof Error],
    [true, true, true],
  )
  t.is((error.output as CommandOutput).code, 3)
  const other = await rejects(t, commandRoot(root, 'missing').output(), 'ENOENT')
  t.false(other instanceof ExitError)
})

test('wrong arguments look as Node’s own do', (t) => {
  const nodes = thrown(() => fs.openSync(7 as never, {} as never)) as Coded
  const ours = thrown(() => untyped.openRoot(7)) as Coded
  t.deepEqual([ours.name, ours.constructor, ours.code], [nodes.name, nodes.constructor, nodes.code])
  t.is(String(ours).split(':')[0], String(nodes).split(':')[0])
  t.false(ours instanceof CommandRootError)
})

test('every step named by an error is one of the contract', async (t) => {
  const steps =
    'resolve open script seal fork namespaces cgroup setsid setpgid foreground rlimits nice chroot umask fds ctty groups setgid setuid caps chdir pdeathsig affinity no_new_privs signals exec wait'.split(
      ' ',
    )
  for (const command of [
    commandRoot(root, 'missing'),
    commandRoot(root, '..'),
    commandRoot(root, '.'),
    commandRoot(root, 'reporter', [], { cwd: '/nowhere' }),
    commandRoot(root, 'reporter', [], { stdio: ['ignore', 'ignore', 'ignore', 987_654] }),
  ]) {
    const error = (await command.output().catch((reason: unknown) => reason)) as Coded
    t.true(steps.includes(error.step as string), `${error.message}: ${error.step}`)
  }
})

test('code and errno belong together', async (t) => {
  const error = await rejects(t, commandRoot(root, 'missing').output(), 'ENOENT')
  t.is(error.errno, -os.constants.errno.ENOENT)
})

// ---- Node's permission model -----------------------------------------------------------------------

const flags = process.allowedNodeEnvironmentFlags
const permission = flags.has('--permission') ? '--permission' : '--experimental-permission'
const withPermission = flags.has(permission) && flags.has('--allow-addons') ? test : test.skip

withPermission(`${permission}: what Node refuses is refused here`, async (t) => {
  const everything = ['--allow-fs-read=*']
  const seen = async (...allowed: string[]) =>
    JSON.parse(
      (await runParent('permission.mjs', { nodeOptions: [permission, '--no-warnings', ...allowed], args: [programs] }))
        .stdout,
    )

  t.like(await seen(...everything), { imported: 'ERR_DLOPEN_DISABLED' })
  t.like(await seen(...everything, '--allow-addons'), {
    imported: 'yes',
    openRoot: 'yes',
    forkExecFd: 'ERR_ACCESS_DENIED',
  })
  const { starts } = await seen(...everything, '--allow-addons')
  t.is(Object.keys(starts).length, 8)
  for (const [way, denied] of Object.entries(starts))
    t.deepEqual(denied, ['ERR_ACCESS_DENIED', 'ChildProcess', way === 'forkExec' ? reporter : 'reporter'], way)
  const allowed = await seen(...everything, '--allow-addons', '--allow-child-process')
  for (const way of Object.keys(starts)) t.is(allowed[way], 'yes', way)
  const { repository } = await import('./support/programs.ts')
  t.like(await seen(`--allow-fs-read=${repository}/*`, '--allow-addons'), {
    outside: 'ERR_ACCESS_DENIED',
    outsidePermission: 'FileSystemRead',
  })
})
