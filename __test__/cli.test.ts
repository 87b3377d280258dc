// The command line: streams passed through, and the end of the program as its own end.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { text } from './support/compare.ts'
import { jailFor } from './support/jail.ts'
import { asRoot, openPlace, testWhere } from './support/privileges.ts'
import { environment, parseReport, programs, reporter, repository, system } from './support/programs.ts'
import { isRoot, scratch } from './support/system.ts'

const manifest = JSON.parse(fs.readFileSync(path.join(repository, 'package.json'), 'utf8')) as {
  version: string
  bin: Record<string, string>
}
const cli = path.join(repository, manifest.bin['command-root'] ?? '')

const run = (
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): SpawnSyncReturns<string> => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', ...options })

test('the program’s streams are this terminal’s', (t) => {
  const { stdout, stderr, status } = run([programs, 'reporter', 'cat', 'err', 'words', 'exit', '0'], { input: 'äöü' })
  t.deepEqual([stdout, stderr, status], ['äöü', 'words', 0])
})

test('every argument after NAME is the program’s', (t) => {
  const { stdout } = run([programs, 'reporter', 'report', '--', '--help', '--json', '-x', '', '--'])
  t.deepEqual(parseReport(stdout).argv, [reporter, 'report', '--', '--help', '--json', '-x', '', '--'])
  t.deepEqual(parseReport(run(['--', programs, 'reporter', 'report']).stdout).argv, [reporter, 'report'])
})

test('it ends as the program ended', (t) => {
  for (const [args, status, signal] of [
    [['exit', '0'], 0, null],
    [['exit', '3'], 3, null],
    [['exit', '255'], 255, null],
    [['kill', '15'], null, 'SIGTERM'],
    [['kill', '9'], null, 'SIGKILL'],
    [['kill', '2'], null, 'SIGINT'],
  ] as const) {
    const ended = run([programs, 'reporter', ...args])
    t.deepEqual([ended.status, ended.signal, ended.stderr], [status, signal, ''], args.join(' '))
  }
})

test('a shell sees 128 and the number of the signal', (t) => {
  const line = `"${process.execPath}" "${cli}" "${programs}" reporter kill 15; echo $?`
  t.is(spawnSync('sh', ['-c', line], { encoding: 'utf8' }).stdout.trim(), '143')
})

test('what cannot be started is 126, what is not there 127, as env(1) has it', (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'plain'), '', { mode: 0o644 })
  fs.writeFileSync(path.join(directory, 'script'), '#!/bin/sh\n', { mode: 0o755 })
  fs.symlinkSync('/bin/sh', path.join(directory, 'out'))
  for (const [name, status, words] of [
    ['missing', 127, 'missing'],
    ['plain', 126, 'plain'],
    ['script', 126, '/bin/sh'],
    ['out', 126, '/bin/sh'],
    ['.', 126, '.'],
  ] as const) {
    const ended = run([directory, name])
    t.deepEqual([ended.status, ended.stdout], [status, ''], name)
    t.regex(ended.stderr, /^command-root: .*\n$/)
    t.true(ended.stderr.includes(words), ended.stderr)
  }
})

test('wrong use is 125 and one line on stderr', (t) => {
  for (const args of [
    [],
    [programs],
    ['--nothing', programs, 'reporter'],
    ['--jsno', programs, 'reporter'],
    ['--timeout', 'soon', programs, 'reporter'],
    ['--timeout', '-1', programs, 'reporter'],
    ['--uid', 'nobody', programs, 'reporter'],
    ['--gid', '-1', programs, 'reporter'],
    ['--uid', '4294967295', programs, 'reporter'],
    ['--rlimit', 'nofile', programs, 'reporter'],
    ['--rlimit', 'nofile=much', programs, 'reporter'],
    ['--rlimit', 'nofiles=1', programs, 'reporter'],
    ['--rlimit', 'nofile=2:1', programs, 'reporter'],
    ['--chroot', '', programs, 'reporter'],
    ['--timeout'],
    ['--env', 'novalue', programs, 'reporter'],
    ['--env=', programs, 'reporter'],
    ['--cwd'],
    ['--json=yes', programs, 'reporter'],
    ['-x', programs, 'reporter'],
    ['--scripts', 'yes', programs, 'reporter'],
    ['--sha256', 'abc', programs, 'reporter'],
  ]) {
    const ended = run(args)
    t.deepEqual([ended.status, ended.stdout], [125, ''], args.join(' '))
    t.regex(ended.stderr, /^command-root: [^\n]+\n$/, args.join(' '))
  }
  t.true(run(['--jsno', programs, 'reporter']).stderr.includes('--json'), 'the nearest option')
})

test('--cwd and --cwd-root', (t) => {
  const directory = scratch(t)
  const cwd = (...options: string[]) =>
    parseReport(run([...options, programs, 'reporter', 'report'], { cwd: repository }).stdout).cwd
  t.is(cwd(), repository)
  t.is(cwd('--cwd', directory), directory)
  t.is(cwd(`--cwd=${directory}`), directory)
  t.is(cwd('--cwd-root', directory), directory)
})

test('--in-root, --scripts, --seal and --sha256', (t) => {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'bin'))
  fs.copyFileSync(reporter, path.join(directory, 'bin/reporter'))
  fs.chmodSync(path.join(directory, 'bin/reporter'), 0o755)
  fs.symlinkSync('/bin/reporter', path.join(directory, 'link'))
  fs.writeFileSync(path.join(directory, 'script'), '#!/bin/reporter\n', { mode: 0o755 })
  t.is(run([directory, 'link', 'exit', '3']).status, 126)
  t.is(run(['--in-root', directory, '/../link', 'exit', '3']).status, 3)
  t.is(run([directory, 'script']).status, 126)
  t.is(parseReport(run(['--scripts', 'root', directory, 'script']).stdout).exe, path.join(directory, 'bin/reporter'))
  const digest = createHash('sha256').update(fs.readFileSync(reporter)).digest('hex')
  for (const options of [['--seal'], ['--sha256', digest]]) {
    const { exe } = parseReport(run([...options, directory, 'bin/reporter', 'report']).stdout)
    t.is(exe, '/memfd:reporter (deleted)')
  }
  t.is(run(['--sha256', 'a'.repeat(64), directory, 'bin/reporter']).status, 126)
})

test('--env and --clear-env', (t) => {
  const seen = (...options: string[]) =>
    environment(
      parseReport(run([...options, programs, 'reporter', 'report'], { env: { HERE: '1', PATH: '/bin' } }).stdout),
    )
  t.deepEqual(seen(), { HERE: '1', PATH: '/bin' })
  t.deepEqual(seen('--env', 'A=1', '--env', 'B=x=y', '--env', 'HERE='), { HERE: '', PATH: '/bin', A: '1', B: 'x=y' })
  t.deepEqual(seen('--clear-env'), {})
  t.deepEqual(seen('--env', 'A=1', '--clear-env'), { A: '1' })
})

test('--timeout ends the program', (t) => {
  const ended = run(['--timeout', '1000', programs, 'reporter', 'sleep', '60000'])
  t.deepEqual([ended.status, ended.signal], [null, 'SIGTERM'])
  t.is(run(['--timeout', '60000', programs, 'reporter', 'exit', '3']).status, 3)
})

test('--json prints how it went, bytes that are no text as base64', (t) => {
  const ended = run(['--json', programs, 'reporter', 'out', 'ä', 'err', 'b', 'exit', '3'])
  t.is(ended.status, 3)
  t.is(ended.stderr, '')
  const output = JSON.parse(ended.stdout) as Record<string, unknown>
  t.like(output, { code: 3, signal: null, success: false, timedOut: false, truncated: false, stdout: 'ä', stderr: 'b' })
  t.is(typeof output.pid, 'number')

  const bytes = spawnSync(process.execPath, [cli, '--json', programs, 'reporter', 'cat'], {
    input: Buffer.from([0xff, 0xfe, 0x00]),
  })
  const parsed = JSON.parse(bytes.stdout.toString()) as Record<string, unknown>
  t.is(parsed.stdout, Buffer.from([0xff, 0xfe, 0x00]).toString('base64'))
  t.true(Object.values(parsed).includes('base64'), 'a field says so')
})

test('--probe, --help and --version', async (t) => {
  const { probe } = await import('command-root')
  t.deepEqual(JSON.parse(run(['--probe']).stdout), JSON.parse(JSON.stringify(probe())))
  t.is(run(['--version']).stdout, `${manifest.version}\n`)
  const help = run(['--help'])
  t.is(help.status, 0)
  for (const option of [
    '--cwd',
    '--cwd-root',
    '--env',
    '--clear-env',
    '--timeout',
    '--no-new-privs',
    '--rlimit',
    '--uid',
    '--gid',
    '--chroot',
    '--json',
    '--probe',
    '--help',
    '--version',
  ]) {
    t.true(help.stdout.includes(option), option)
  }
})

test('SIGTERM is passed on, and the program’s end is what counts', async (t) => {
  const child = spawn(process.execPath, [
    cli,
    programs,
    'reporter',
    'ignore',
    '15',
    'out',
    'ready',
    'read-one',
    'exit',
    '7',
  ])
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  child.stdin.end()
  t.deepEqual(await once(child, 'exit'), [7, null])

  const other = spawn(process.execPath, [cli, programs, 'reporter', 'out', 'ready', 'sleep', '60000'])
  const out = text(other.stdout)
  await once(other.stdout, 'readable')
  other.kill('SIGTERM')
  t.deepEqual(await once(other, 'exit'), [null, 'SIGTERM'])
  t.is(await out, 'ready')
})

test('a signal that comes as the program begins is passed on too', (t) => {
  // The first thing it does is to send one to us.
  const script = "trap 'exit 7' TERM; kill -TERM $PPID; while :; do sleep 0.05; done"
  const { root, name } = system('sh')
  for (let round = 0; round < 5; round++) {
    const { status, signal } = run([root, name, '-c', script])
    t.deepEqual([status, signal], [7, null])
  }
})

test('it runs through the link that npm makes', (t) => {
  const link = path.join(scratch(t), 'command-root')
  fs.symlinkSync(cli, link)
  const { stdout, status } = spawnSync(link, ['/usr', 'bin/uname', '-s'], { encoding: 'utf8' })
  t.deepEqual([stdout, status], ['Linux\n', 0])
})

test('--no-new-privs and --rlimit', (t) => {
  const limits = ['--rlimit', 'nofile=64', '--rlimit', 'core=0:unlimited', '--rlimit=rss=unlimited']
  const report = parseReport(run(['--no-new-privs', ...limits, programs, 'reporter']).stdout)
  t.is(report.noNewPrivs, '1')
  t.deepEqual(report.limits.nofile, [64, 64])
  t.deepEqual(report.limits.core, [0, 'unlimited'])
  t.deepEqual(report.limits.rss, ['unlimited', 'unlimited'])
})

const place = openPlace()

testWhere(asRoot, '--uid and --gid', (t) => {
  const report = parseReport(run(['--uid', '65534', '--gid=65533', place, 'reporter']).stdout)
  t.deepEqual(
    [report.uid, report.gid].map((ids) => ids.split('\t')[1]),
    ['65534', '65533'],
  )
})

testWhere(asRoot, '--chroot: the directory to begin in, too, is inside', (t) => {
  const jail = jailFor(t)
  const inside = parseReport(run(['--chroot', jail, '--cwd', '/a/b', jail, 'reporter']).stdout)
  t.is(inside.cwdIno, fs.statSync(path.join(jail, 'a/b')).ino)
  t.is(inside.argv[0], '/reporter')
  t.is(run(['--chroot', jail, '--cwd-root', '/', jail, 'reporter']).status, 125)
})

test('who may not is told which step it was', (t) => {
  if (isRoot) {
    t.is(run(['--rlimit', 'nofile=9007199254740991', place, 'reporter']).status, 126)
    return
  }
  const { status, stderr } = run(['--uid', '1', place, 'reporter'])
  t.is(status, 126)
  t.regex(stderr, /EPERM.*setgroups/)
})
