// Sealed copies: nobody changes what runs, and what they hold is what was asked for, or nothing runs.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commandFd, commandRoot, openRoot } from 'command-root'
import { refuses, rejects, untyped } from './support/fail.ts'
import { parseReport, programs, reporter, repository, system } from './support/programs.ts'
import { isRoot, openDescriptors, scratch, until } from './support/system.ts'

const sha256Of = (file: string): string => createHash('sha256').update(fs.readFileSync(file)).digest('hex')
const other = 'a'.repeat(64)
const asRoot = isRoot ? test : test.skip
const asUser = isRoot ? test.skip : test

/** A directory with a program called `program` that may be changed. */
function place(t: ExecutionContext, source = reporter): { directory: string; program: string } {
  const directory = scratch(t)
  const program = path.join(directory, 'program')
  fs.copyFileSync(source, program)
  fs.chmodSync(program, 0o755)
  return { directory, program }
}

test('a sealed Executable tells what it holds, and runs from memory', async (t) => {
  using root = openRoot(programs)
  using executable = root.openExecutable('reporter', { seal: true })
  t.true(executable.sealed)
  t.is(executable.sha256, sha256Of(reporter))
  t.is(executable.size, fs.statSync(reporter).size)
  const report = parseReport((await commandFd(executable).output()).stdout)
  t.is(report.exe, '/memfd:reporter (deleted)')
  t.deepEqual(report.argv, [reporter])
  t.deepEqual(
    report.fds.map(({ fd }) => fd),
    [0, 1, 2],
  )
})

test('a sealed copy is what the file was, whatever becomes of that', (t) => {
  const { directory, program } = place(t)
  using root = openRoot(directory)
  using executable = root.openExecutable('program', { seal: true })
  using unsealed = root.openExecutable('program')
  fs.writeFileSync(program, fs.readFileSync(system('false').path)) // in place: the same file
  t.is(commandFd(executable, ['exit', '7']).outputSync().code, 7)
  t.is(commandFd(unsealed, ['exit', '7']).outputSync().code, 1)
})

test('a command with `seal` copies at every start', (t) => {
  const { directory, program } = place(t)
  using root = openRoot(directory)
  const command = commandRoot(root, 'program', ['exit', '7'], { seal: true })
  t.is(command.outputSync().code, 7)
  fs.writeFileSync(program, fs.readFileSync(system('false').path))
  t.is(command.outputSync().code, 1)
})

/** Keeps its own program open for reading, becomes another one, and writes over what it was (CVE-2019-5736). */
const OVERWRITE = `exec 3< /proc/self/exe; exec ${system('env').path} sh -c 'echo overwritten > /proc/self/fd/3'`

test('a program cannot overwrite itself through /proc/self/exe', (t) => {
  const { directory, program } = place(t, fs.realpathSync('/bin/sh'))
  using root = openRoot(directory)
  using sealed = root.openExecutable('program', { seal: true })
  const before = sha256Of(program)
  t.not(commandFd(sealed, ['-c', OVERWRITE]).outputSync().code, 0)
  t.not(commandFd(sealed, ['-c', 'chmod 0 /proc/$$/exe']).outputSync().code, 0)
  t.is(commandFd(sealed, ['-c', 'exit 3']).outputSync().code, 3)
  t.is(sha256Of(program), before)
  // And it could, were it not sealed: the test would see it.
  t.is(commandRoot(root, 'program', ['-c', OVERWRITE]).outputSync().code, 0)
  t.is(fs.readFileSync(program, 'utf8'), 'overwritten\n')
})

test.serial('another content is refused, and both digests are named', async (t) => {
  const digest = sha256Of(reporter)
  using root = openRoot(programs)
  using right = root.openExecutable('reporter', { seal: { sha256: digest.toUpperCase() } })
  t.is(right.sha256, digest)
  const words = [digest, other]
  await commandRoot(root, 'reporter').output() // the engine's own descriptors are there from the first on
  const before = openDescriptors()
  refuses(t, () => root.openExecutable('reporter', { seal: { sha256: other } }), 'ERR_DIGEST_MISMATCH', words)
  const command = commandRoot(root, 'reporter', [], { seal: { sha256: other } })
  const error = await rejects(t, command.output(), 'ERR_DIGEST_MISMATCH', words)
  t.is(error.step, 'seal')
  refuses(t, () => command.spawn(), 'ERR_DIGEST_MISMATCH', words)
  refuses(t, () => command.outputSync(), 'ERR_DIGEST_MISMATCH', words)
  await until(() => openDescriptors() <= before)
})

test('what is sealed already is not copied again', (t) => {
  using root = openRoot(programs)
  using executable = root.openExecutable('reporter', { seal: true })
  const digest = sha256Of(reporter)
  for (const seal of [true, { sha256: digest }])
    t.is(commandFd(executable, ['exit', '4'], { seal }).outputSync().code, 4)
  refuses(t, () => commandFd(executable, [], { seal: { sha256: other } }).spawn(), 'ERR_DIGEST_MISMATCH', [digest])
})

test('a descriptor can be sealed, and keeps its place', (t) => {
  const fd = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(fd))
  t.is(commandFd(fd, ['exit', '4'], { seal: { sha256: sha256Of(reporter) } }).outputSync().code, 4)
  const head = Buffer.alloc(4)
  fs.readSync(fd, head)
  t.is(head.toString('latin1'), '\x7fELF')
})

test('the copy may do what the file may', (t) => {
  const { directory, program } = place(t)
  using root = openRoot(directory)
  fs.chmodSync(program, 0o644)
  const error = refuses(t, () => root.openExecutable('program', { seal: true }), 'EACCES')
  t.is(error.step, 'seal')
  fs.chmodSync(program, 0o4750)
  using executable = root.openExecutable('program', { seal: true })
  t.is(fs.fstatSync(executable.fd).mode & 0o7777, 0o750)
})

asUser('what may not be read cannot be sealed (root may read everything)', (t) => {
  const { directory, program } = place(t)
  fs.chmodSync(program, 0o111)
  using root = openRoot(directory)
  t.is(commandRoot(root, 'program', ['exit', '4']).outputSync().code, 4)
  refuses(t, () => root.openExecutable('program', { seal: true }), 'EACCES')
})

test('seal is true, false or a digest', (t) => {
  using root = openRoot(programs)
  const open = root.openExecutable.bind(root) as (name: string, options: unknown) => { close(): void; sealed: boolean }
  for (const seal of [undefined, false]) t.false(open('reporter', { seal }).sealed)
  for (const [seal, code] of [
    [{ sha256: undefined }, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ sha256: 'abc' }, 'ERR_INVALID_ARG_VALUE'],
    [{ sha512: other }, 'ERR_INVALID_ARG_VALUE'],
    ['yes', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    refuses(t, () => open('reporter', { seal }), code, ['seal'])
    refuses(t, () => untyped.commandRoot(root, 'reporter', [], { seal }), code, ['seal'])
  }
})

/** What this says, run by Node as root where something of the system is other than here. */
const elsewhere = (script: string, code: string): string =>
  execFileSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'sh', '-ec', script], {
    encoding: 'utf8',
    env: { ...process.env, CODE: code, NODE: process.execPath, TMPDIR: process.env.TMPDIR ?? '/tmp' },
    cwd: repository,
  })

const SEAL = `import { openRoot } from 'command-root'
try { openRoot(process.argv[1]).openExecutable('program', { seal: true }); console.log('sealed') }
catch (error) { console.log(error.code, error.step, error.message) }`

asRoot('a noexec mount is EACCES (mounting needs root)', (t) => {
  const { directory } = place(t)
  const script = `mkdir ${directory}/m && mount -t tmpfs -o noexec none ${directory}/m && cp ${directory}/program ${directory}/m/
    "$NODE" --input-type=module -e "$CODE" ${directory}/m`
  t.regex(elsewhere(script, SEAL), /^EACCES seal /)
})

const withSysctl = fs.existsSync('/proc/sys/vm/memfd_noexec') ? asRoot : test.skip
withSysctl('a system that forbids executable memory is named by its sysctl (root, vm.memfd_noexec)', (t) => {
  const { directory } = place(t)
  const script = `echo 2 > /proc/sys/vm/memfd_noexec; "$NODE" --input-type=module -e "$CODE" ${directory}`
  t.regex(elsewhere(script, SEAL), /^ERR_FEATURE_UNAVAILABLE_ON_PLATFORM seal .*vm\.memfd_noexec/)
})
