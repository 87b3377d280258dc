// A sealed copy of 100 MiB, hashed, beside `cp` to a tmpfs and `sha256sum`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { openRoot } from 'command-root'
import { gather, MiB, ratio, spread } from './measure.mjs'

const SIZE = 100 * MiB
const MEMORY = '/dev/shm'

export const title = 'seal: 100 MiB, ms'

export async function run({ rounds = 9 }) {
  if (!existsSync(MEMORY)) {
    console.log(`skipped: there is no ${MEMORY} to copy to`)
    return { samples: {} }
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
      if (round >= 0) gather(samples, { [who]: Number(process.hrtime.bigint() - start) / 1e6 })
    }
  }
  rmSync(directory, { recursive: true })
  rmSync(copy)
  const [first] = Object.values(samples)
  const rows = Object.entries(samples).map(([who, list]) => [
    who,
    spread(list, 1),
    `${ratio(list, first).toFixed(2)} ×`,
  ])
  return { samples, tables: [[['', 'ms: median (p10–p90)', 'beside the first'], ...rows]] }
}
