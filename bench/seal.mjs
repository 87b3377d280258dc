// A sealed copy of 100 MiB, hashed, beside `cp` to a tmpfs and `sha256sum`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { openRoot } from 'command-root'
import { machine, options, printTable, ratio, spread } from './measure.mjs'

const SIZE = 100 * 1024 * 1024
const MEMORY = '/dev/shm'
const { rounds, json } = options(9)

if (!existsSync(MEMORY)) {
  console.log(`skipped: there is no ${MEMORY} to copy to`)
  process.exit(0)
}
const directory = mkdtempSync(path.join(os.tmpdir(), 'command-root-bench-'))
const program = path.join(directory, 'program')
const copy = path.join(MEMORY, path.basename(directory))
writeFileSync(program, Buffer.alloc(SIZE, 'command-root'), { mode: 0o755 })

const root = openRoot(directory)
const contenders = {
  'openExecutable(…, { seal: true })': () => root.openExecutable('program', { seal: true }).close(),
  'cp to a tmpfs': () => execFileSync('cp', [program, copy]),
  sha256sum: () => execFileSync('sha256sum', [program]),
}
const samples = {}
for (let round = -1; round < rounds; round++) {
  for (const [who, act] of Object.entries(contenders)) {
    const start = process.hrtime.bigint()
    act()
    if (round < 0) continue
    samples[who] ??= []
    samples[who].push(Number(process.hrtime.bigint() - start) / 1e6)
  }
}
rmSync(directory, { recursive: true })
rmSync(copy)

if (json) console.log(JSON.stringify({ machine: machine(), size: SIZE, samples }))
else {
  console.log(`${machine()}, ${rounds} rounds, 100 MiB, ms: median (p10–p90)\n`)
  const [first] = Object.values(samples)
  printTable([
    ['', '', 'beside the first'],
    ...Object.entries(samples).map(([who, list]) => [who, spread(list, 1), `${ratio(list, first).toFixed(2)} ×`]),
  ])
}
