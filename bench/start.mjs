// How long spawn() blocks the JavaScript thread, and how long a run of /usr/bin/true takes, beside node:child_process,
// with little and with much memory resident.
//
// Absolute times mean little on a busy machine, so everything is interleaved: one process for each size of memory, and
// in each round every process starts a program by every contender once.
import { machine, nodeWorker, options, printTable, ratio, spread } from './measure.mjs'

const MiB = 1024 * 1024
const SIZES = [
  { name: '50 MiB', bytes: 50 * MiB },
  { name: '1 GiB', bytes: 1024 * MiB },
]
const WARM_UP = 20

const { rounds, json } = options(300)
const workers = SIZES.map(({ bytes }) => nodeWorker('start-worker.mjs', [String(bytes)]))
const sizes = await Promise.all(workers.map((worker) => worker.answer()))
const samples = await measure()
for (const worker of workers) worker.end()

if (json) console.log(JSON.stringify({ machine: machine(), sizes, samples }))
else print()

/** For each size: for each measure, its values in order of the rounds, in microseconds. */
async function measure() {
  const samples = SIZES.map(() => new Map())
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [index, worker] of workers.entries()) {
      worker.send({ reversed: round % 2 !== 0 })
      const { times } = await worker.answer()
      if (round < 0) continue
      for (const [name, time] of Object.entries(times)) {
        const list = samples[index].get(name) ?? []
        samples[index].set(name, list)
        list.push(time)
      }
    }
  }
  return samples.map((bySize) => Object.fromEntries(bySize))
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
