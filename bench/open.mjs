// openExecutable() of names with 1, 8 and 32 components, by openat2 and by the walk, beside the system calls in C.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { c, worker } from './contenders.mjs'
import { atMost, gather, ratio, spread } from './measure.mjs'

const DEPTHS = [1, 8, 32]
const OPENS = 500
const FLOOR = 'C: openat2, fstat, close'
const OURS = 'openExecutable(), close()'

export const title = 'open: names of 1, 8 and 32 components, µs for one'

export async function run({ rounds = 60 }) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'command-root-bench-'))
  const names = DEPTHS.map((depth) => [...Array(depth - 1).fill('d'), 'program'].join('/'))
  for (const name of names) {
    mkdirSync(path.join(directory, path.dirname(name)), { recursive: true })
    writeFileSync(path.join(directory, name), '', { mode: 0o755 })
  }
  const script = new URL('workers/open.mjs', import.meta.url).pathname
  const contenders = {
    [FLOOR]: worker(c('open').command, []),
    [OURS]: worker(process.execPath, [script]),
    'the same by the walk': worker(process.execPath, [script], { COMMAND_ROOT_WALK: '1' }),
  }
  const samples = Object.fromEntries(Object.keys(contenders).map((who) => [who, {}]))
  for (let round = -3; round < rounds; round++) {
    for (const [who, { ask }] of Object.entries(contenders)) {
      for (const [index, name] of names.entries()) {
        const time = await ask(`${directory} ${name} ${OPENS}`)
        if (round >= 0) gather(samples[who], { [DEPTHS[index]]: time })
      }
    }
  }
  for (const { end } of Object.values(contenders)) end()
  rmSync(directory, { recursive: true })
  const beside = (lists, depth) => ratio(lists[depth], samples[FLOOR][depth])
  const rows = Object.entries(samples).map(([who, lists]) => [
    who,
    ...DEPTHS.flatMap((depth) => [spread(lists[depth], 2), `${beside(lists, depth).toFixed(2)} ×`]),
  ])
  const table = [['components', ...DEPTHS.flatMap((depth) => [String(depth), 'beside C'])], ...rows]
  return {
    samples,
    tables: [table],
    goals: [atMost('openExecutable, 8 components, beside C', beside(samples[OURS], 8), 1.5)],
  }
}
