// openExecutable() of names with 1, 8 and 32 components, by openat2 and by the walk, beside the system calls in C.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { cWorker, machine, nodeWorker, options, printTable, ratio, spread } from './measure.mjs'

const DEPTHS = [1, 8, 32]
const OPENS = 500
const { rounds, json } = options(60)

const directory = mkdtempSync(path.join(os.tmpdir(), 'command-root-bench-'))
const names = DEPTHS.map((depth) => [...Array(depth - 1).fill('d'), 'program'].join('/'))
for (const name of names) {
  mkdirSync(path.join(directory, path.dirname(name)), { recursive: true })
  writeFileSync(path.join(directory, name), '', { mode: 0o755 })
}

const c = cWorker('open')
const contenders = {
  'C: openat2, fstat, close': c && ((name) => c.ask(`${directory} ${name} ${OPENS}`)),
  'openExecutable(), close()': nodeOpens(),
  'the same by the walk': nodeOpens({ COMMAND_ROOT_WALK: '1' }),
}
const samples = {}
for (let round = -3; round < rounds; round++) {
  for (const [who, open] of Object.entries(contenders)) {
    for (const [index, name] of names.entries()) {
      const time = open ? await open(name) : Number.NaN
      if (round < 0) continue
      samples[who] ??= DEPTHS.map(() => [])
      samples[who][index].push(time)
    }
  }
}
c?.end()
for (const open of Object.values(contenders)) open?.end?.()
rmSync(directory, { recursive: true })

if (json) console.log(JSON.stringify({ machine: machine(), depths: DEPTHS, samples }))
else print()

function nodeOpens(env) {
  const worker = nodeWorker('open-worker.mjs', [directory, String(OPENS)], env)
  const open = async (name) => {
    worker.send(name)
    return (await worker.answer()).time
  }
  open.end = () => worker.end()
  return open
}

function print() {
  console.log(`${machine()}, ${rounds} rounds of ${OPENS} opens, µs for one: median (p10–p90), and beside C\n`)
  const floor = samples['C: openat2, fstat, close']
  const rows = Object.entries(samples).map(([who, lists]) => [
    who,
    ...lists.flatMap((list, index) => [spread(list, 2), `${ratio(list, floor[index]).toFixed(2)} ×`]),
  ])
  printTable([['components', ...DEPTHS.flatMap((depth) => [String(depth), ''])], ...rows])
}
