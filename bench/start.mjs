// How long spawn() blocks the JavaScript thread, and how long a run of /usr/bin/true takes, beside node:child_process,
// with little and with much memory resident.
//
// Absolute times mean little on a busy machine, so everything is interleaved: one process for each size of memory and
// each contender, which have their turns one after the other. Not one process for both contenders: after child_process
// has forked, every page that is written to costs a fault, and the other one would pay for it.
import { machine, nodeWorker, options, printTable, ratio, spread } from './measure.mjs'

const MiB = 1024 * 1024
const SIZES = [
  { name: '50 MiB', bytes: 50 * MiB },
  { name: '1 GiB', bytes: 1024 * MiB },
]
const TURNS = 10
const WARM_UP = 2

const { rounds, json } = options(300)
const CONTENDERS = ['ours', 'child_process']
const workers = SIZES.map(({ bytes }) =>
  CONTENDERS.map((contender) => nodeWorker('start-worker.mjs', [String(bytes), contender])),
)
const sizes = await Promise.all(
  workers.map(async (pair) => (await Promise.all(pair.map((worker) => worker.answer())))[0]),
)
const samples = await measure()
for (const worker of workers.flat()) worker.end()

if (json) console.log(JSON.stringify({ machine: machine(), sizes, samples }))
else print()

/** For each size: for each contender and measure, its values in order, in microseconds. */
async function measure() {
  const samples = SIZES.map(() => ({}))
  for (let round = -WARM_UP; round < rounds / TURNS; round++) {
    for (const [index, pair] of workers.entries()) {
      for (const [which, worker] of pair.entries()) {
        worker.send({ turns: TURNS })
        const { taken, resident } = await worker.answer()
        sizes[index].resident = resident
        if (round < 0) continue
        for (const [measure, times] of Object.entries(taken)) {
          const name = `${CONTENDERS[which]} ${measure}`
          samples[index][name] ??= []
          samples[index][name].push(...times)
        }
      }
    }
  }
  return samples
}

function print() {
  console.log(`${machine()}, ${rounds} rounds, µs: median (p10–p90)\n`)
  const rows = [
    ['spawn() blocks, stdio ignore', 'block ignore'],
    ['spawn() blocks, stdio pipe', 'block pipe'],
    ["spawn() → 'exit'", 'exit'],
    ['output() | execFile(): the call', 'call'],
    ['output() | execFile(): the run', 'run'],
  ]
  const heads = SIZES.flatMap(({ name }) => [`ours, ${name}`, `child_process, ${name}`, 'ratio'])
  const sizesNamed = SIZES.map(({ name }) => name)
    .reverse()
    .join(' / ')
  const table = [['', ...heads, `ours ${sizesNamed}`]]
  for (const [title, key] of rows) {
    const cells = samples.flatMap((bySize) => {
      const [ours, theirs] = [bySize[`ours ${key}`], bySize[`child_process ${key}`]]
      return [spread(ours), spread(theirs), `${ratio(theirs, ours).toFixed(1)} ×`]
    })
    const [little, much] = samples.map((bySize) => bySize[`ours ${key}`])
    table.push([title, ...cells, ratio(much, little).toFixed(2)])
  }
  printTable(table)
  console.log(`\nresident: ${sizes.map(({ resident }) => `${Math.round(resident / MiB)} MiB`).join(', ')}`)
  console.log('ratio: child_process / ours, the median over the rounds')
}
