// Runs Node's own tests of child_process with spawn() and spawnSync() replaced by command-root's.
//
//   NODE_TESTS=path/to/node/test node scripts/node-tests.mjs            all of test-child-process-*
//   node scripts/node-tests.mjs path/to/node/test --only=spawn-error    those whose name holds this
//   node scripts/node-tests.mjs path/to/node/test --all                 whatever in parallel/ calls spawn()
//
// The tests belong to Node and are not part of this repository. They should be of the Node that runs them.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const shim = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node-tests-shim.cjs')
const option = (name) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
const tests = process.argv.slice(2).find((arg) => !arg.startsWith('--')) ?? process.env.NODE_TESTS
const MINUTES = 2

if (!tests) {
  const branch = `v${process.versions.node}`
  console.log(`node-tests: nothing to run. NODE_TESTS names the directory "test" of Node's source, to be had by
  git clone --depth 1 --branch ${branch} --filter=blob:none --sparse https://github.com/nodejs/node
  git -C node sparse-checkout set test/common test/fixtures test/parallel`)
  process.exit(0)
}

const parallel = path.resolve(tests, 'parallel')
if (!existsSync(parallel)) {
  console.error(`node-tests: ${parallel} does not exist; the directory "test" of Node's source is wanted`)
  process.exit(2)
}

// ---- which ---------------------------------------------------------------------------------------------

const source = (file) => readFileSync(path.join(parallel, file), 'utf8')

function isChosen(file) {
  if (!/^test-.*\.m?js$/.test(file)) return false
  const only = option('only')
  if (only !== undefined) return file.includes(only)
  if (file.startsWith('test-child-process-')) return true
  return process.argv.includes('--all') && /\bspawn(?:Sync)?\(/.test(source(file))
}

const files = readdirSync(parallel).filter(isChosen).sort()

/** Files with an assertion that the contract of this package (README, docs) does not want to hold. */
const CONTRACT = {
  'test-handle-wrap-hasref.js': '_handle, which nothing documents, is not there',
  'test-child-process-spawnsync-maxbuf.js': 'no more than maxBuffer is kept; Node keeps what one read brought',
}

// ---- one file ------------------------------------------------------------------------------------------

const scratch = mkdtempSync(path.join(tmpdir(), 'node-tests-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** What a test's first lines ask of node. */
const flagsOf = (text) => [...text.matchAll(/^\/\/ Flags: (.*)$/gm)].flatMap((match) => match[1].trim().split(/\s+/))

/** Where `python3` is itself a script that looks at its own name, it is of no use to what is started by descriptor. */
const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout?.trim()

/** Its exit code and what it said, with or without command-root in child_process's place. */
function run(file, place, withShim) {
  const report = path.join(place, 'report.json')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const env = { ...process.env, NODE_TEST_DIR: place, TEST_THREAD_ID: path.basename(place) }
  if (python) env.PYTHON ??= python
  // Experimental is, in some versions, that require() takes an ES module; tests fail by a warning.
  const preload = withShim ? ['--disable-warning=ExperimentalWarning', '--require', shim] : []
  if (withShim) env.COMMAND_ROOT_NODE_TESTS = report
  const args = [...flagsOf(source(file)), ...preload, path.join(parallel, file)]
  const child = spawn(process.execPath, args, { cwd: place, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  child.stdin.end()
  return outcome(child, () => (existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined))
}

function outcome(child, reported) {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      said += chunk
    })
  }
  const timer = setTimeout(() => killGroup(child.pid), MINUTES * 60_000)
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      // A process that a failed test has left behind would hold the pipes.
      setTimeout(() => killGroup(child.pid), 1000).unref()
      child.on('close', () => resolve({ ended: signal ?? code, said, told: reported() ?? { ours: 0, fell: {} } }))
    })
  })
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

// ---- what it means -------------------------------------------------------------------------------------

/** Why a file says nothing of ours; undefined where it does. */
function inapplicable(text, { told, said }) {
  if (/require\('internal\/child_process'\)/.test(text)) return "child_process's insides"
  const skipped = /^1\.\.0 # Skipped: (.*)$/m.exec(said)?.[1]
  if (skipped) return `skips itself: ${skipped}`
  if (told.ours > 0) return undefined
  const [fell] = Object.keys(told.fell)
  if (fell) return fell
  if (/\bcluster\b/.test(text)) return 'cluster'
  if (/\bfork\w*\(|process\.send/.test(text)) return 'fork, ipc'
  if (/\bexec(?:File)?(?:Sync)?\b|promisify\(/.test(text)) return 'exec, execFile: they call a spawn of their own'
  if (/internal\/|internalBinding|new ChildProcess/.test(text)) return "child_process's insides"
  return 'starts nothing here'
}

async function judge(file, place) {
  const result = await run(file, place, true)
  const reason = inapplicable(source(file), result)
  if (reason) return { verdict: 'not applicable', reason }
  const fell = Object.entries(result.told.fell).map(([why, times]) => `, ${times} by Node: ${why}`)
  if (result.ended === 0) return { verdict: 'pass', reason: `${result.told.ours} by ours${fell.join('')}` }
  const bare = await run(file, place, false)
  if (bare.ended !== 0) return { verdict: 'not applicable', reason: 'fails here with child_process too' }
  if (Object.hasOwn(CONTRACT, file)) return { verdict: 'differs', reason: CONTRACT[file] }
  return { verdict: 'fail', reason: `ended with ${result.ended}`, said: result.said }
}

// ---- all of them ---------------------------------------------------------------------------------------

const totals = { pass: 0, fail: 0, differs: 0, 'not applicable': 0 }
const waiting = [...files]

async function work(place) {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const { verdict, reason, said } = await judge(file, place)
    totals[verdict]++
    console.log(`${verdict.padEnd(15)}${file}  (${reason})`)
    if (said) console.log(said.trimEnd().replaceAll(/^/gm, '    | '))
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, (_, i) => work(path.join(scratch, String(i)))))
console.log(
  `\n${Object.entries(totals)
    .map(([verdict, count]) => `${count} ${verdict}`)
    .join(', ')}`,
)
process.exitCode = totals.fail > 0 ? 1 : 0
