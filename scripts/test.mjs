// `npm test`: every check, in order, each to its end even when an earlier one failed. The last line adds them up.
//
//   npm test                                    everything
//   npm test -- --only=ava,types                some steps: biome rustfmt clippy cargo types contract contract7 ava
//   npm test -- __test__/root.test.ts           ava alone, with these files

import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const bin = (name) => path.join(root, 'node_modules', '.bin', name)
/** By its place: two packages have a program of this name. */
const tsc = (version) => path.join(root, 'node_modules', version, 'bin', 'tsc')

const files = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const only = process.argv
  .find((arg) => arg.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',')
const chosen = only ?? (files.length > 0 ? ['ava'] : undefined)

const sum = (text, pattern) => [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0)

// ---- how each step's output is counted ---------------------------------------------------------

/** A check that is all or nothing. */
const asOne = (_text, ended) => ({ passed: ended ? 1 : 0, failed: ended ? 0 : 1, skipped: 0 })

/** A runner that counts for itself; one that ran nothing, or failed without a failed test, is a failure. */
const asRunner = (count) => (text, ended) => {
  const counts = count(text)
  const silent = counts.passed + counts.failed === 0
  if (silent || (!ended && counts.failed === 0)) counts.failed += 1
  return counts
}

const cargoCounts = (text) => ({
  passed: sum(text, /^test result: .*? (\d+) passed/gm),
  failed: sum(text, /^test result: .*? (\d+) failed/gm),
  skipped: sum(text, /^test result: .*? (\d+) ignored/gm),
})

const tapCounts = (text) => ({
  passed: sum(text, /^# pass (\d+)$/gm),
  failed: sum(text, /^# fail (\d+)$/gm),
  skipped: sum(text, /^# (?:skip|todo) (\d+)$/gm),
})

/** Why cargo cannot do this here, or undefined. */
const lacking = (component) => () =>
  spawnSync('cargo', [component, '--version']).status === 0
    ? undefined
    : `cargo ${component} is not installed (rustup component add ${component === 'fmt' ? 'rustfmt' : component})`

const steps = [
  { name: 'biome', command: [bin('biome'), 'check', '--error-on-warnings'], count: asOne },
  { name: 'rustfmt', command: ['cargo', 'fmt', '--all', '--', '--check'], count: asOne, lacking: lacking('fmt') },
  {
    name: 'clippy',
    command: ['cargo', 'clippy', '--all-targets', '--', '-D', 'warnings'],
    count: asOne,
    lacking: lacking('clippy'),
  },
  { name: 'cargo', command: ['cargo', 'test', '--no-fail-fast'], count: asRunner(cargoCounts) },
  { name: 'types', command: [tsc('typescript'), '-p', 'tsconfig.test.json'], count: asOne },
  // Users' code against what is built, with the compilers they have: 5.9 and 7.
  { name: 'contract', command: [tsc('typescript'), '-p', 'tsconfig.contract.json'], count: asOne },
  { name: 'contract7', command: [tsc('typescript7'), '-p', 'tsconfig.contract.json'], count: asOne },
  { name: 'ava', command: [bin('ava'), '--tap', ...files], count: asRunner(tapCounts) },
]

// ---- running them -------------------------------------------------------------------------------

/** Shows a command's output as it comes and keeps it. */
function follow([command, ...args]) {
  return new Promise((resolve) => {
    let text = ''
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
        to.write(chunk)
      })
    }
    child.on('error', (error) => {
      console.error(String(error))
      resolve({ text, ended: false })
    })
    child.on('close', (code) => resolve({ text, ended: code === 0 }))
  })
}

const total = { passed: 0, failed: 0, skipped: 0 }
const rows = []

function record(name, counts, started) {
  for (const key of Object.keys(total)) total[key] += counts[key]
  rows.push({ name, ...counts, seconds: ((Date.now() - started) / 1000).toFixed(1) })
}

async function runStep({ name, command, count, lacking: reason }) {
  const started = Date.now()
  console.log(`\n── ${name}: ${command.map((word) => path.relative(root, word) || word).join(' ')}`)
  const why = reason?.()
  if (why) {
    console.log(`skipped: ${why}`)
    record(name, { passed: 0, failed: 0, skipped: 1 }, started)
    return
  }
  const { text, ended } = await follow(command)
  record(name, count(text, ended), started)
}

const unknown = chosen?.find((name) => !steps.some((step) => step.name === name))
if (unknown !== undefined) {
  console.error(`no step is called ${unknown}: ${steps.map((step) => step.name).join(' ')}`)
  process.exit(2)
}

const built = spawnSync(process.execPath, [path.join(root, 'scripts', 'prepare.mjs')], { stdio: 'inherit' })
if (built.status !== 0) record('build', { passed: 0, failed: 1, skipped: 0 }, Date.now())

for (const step of steps) if (chosen?.includes(step.name) ?? true) await runStep(step)

console.log(
  `\n${'step'.padEnd(10)}${['passed', 'failed', 'skipped', 'seconds'].map((word) => word.padStart(9)).join('')}`,
)
for (const { name, passed, failed, skipped, seconds } of rows) {
  console.log(
    `${name.padEnd(10)}${[passed, failed, skipped, seconds].map((cell) => String(cell).padStart(9)).join('')}`,
  )
}
const { passed, failed, skipped } = total
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1
