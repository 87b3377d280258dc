// The system calls of one start, counted by strace: those of the starting process until spawn() returns, those of the
// child until exec, and those until the end is known in JavaScript and all of it is closed.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const STARTS = 100
const STDIO = ['ignore', 'pipe']

export const title = 'syscalls: of one spawn() of /usr/bin/true'

export async function run() {
  const samples = {}
  for (const stdio of STDIO) {
    const trace = traced(stdio)
    if (!trace) {
      console.log('skipped: strace is not installed')
      return { samples }
    }
    samples[stdio] = counted(trace)
  }
  const rows = Object.entries(samples).flatMap(([stdio, phases]) =>
    Object.entries(phases).map(([phase, calls]) => [
      stdio,
      phase,
      String(total(calls)),
      Object.entries(calls)
        .map(([name, count]) => (count === 1 ? name : `${name} ×${count}`))
        .join(', '),
    ]),
  )
  return { samples, tables: [[['stdio', '', 'calls', ''], ...rows]] }
}

const total = (calls) => Math.round(Object.values(calls).reduce((sum, count) => sum + count, 0) * 10) / 10

/** Lines of `PID CALL(`, from all threads and children. */
function traced(stdio) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'command-root-bench-'))
  const file = path.join(directory, 'trace')
  const script = new URL('workers/syscalls.mjs', import.meta.url).pathname
  const { error } = spawnSync('strace', ['-f', '-o', file, process.execPath, script, stdio, String(STARTS)])
  const trace = error ? undefined : readFileSync(file, 'utf8').split('\n')
  rmSync(directory, { recursive: true })
  return trace
}

/** The worker calls umask(0o22) before and umask(0o21) after each spawn(), umask(0o20) when all of it is over. */
function counted(trace) {
  const phases = { 'until spawn() returns': {}, 'the child, until exec': {}, 'from there to close': {} }
  const count = (phase, name) => {
    phases[phase][name] = (phases[phase][name] ?? 0) + 1
  }
  let [parent, phase] = []
  const children = new Set()
  for (const line of trace) {
    const [, pid, name, rest] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? []
    if (name === 'umask') {
      parent = pid
      phase = { '022': 'until spawn() returns', '021': 'from there to close' }[rest.slice(0, 3)]
      continue
    }
    const born = /<\.\.\. (?:clone3?|vfork) resumed>.*= (\d+)$|(?:clone3?|vfork)\(.*= (\d+)$/.exec(line)
    if (phase && born) children.add(born[1] ?? born[2])
    if (!name || !phase) continue
    if (pid === parent) count(phase, name)
    else if (!children.has(`${pid} ran`)) {
      count('the child, until exec', name)
      if (name.startsWith('exec')) children.add(`${pid} ran`)
    }
  }
  for (const calls of Object.values(phases))
    for (const [name, times] of Object.entries(calls)) calls[name] = Math.round((times / STARTS) * 10) / 10
  return phases
}
