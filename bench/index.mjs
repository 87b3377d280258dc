// npm run bench: how long spawn() blocks the JavaScript thread, and how long a run of /usr/bin/true takes, beside
// node:child_process, with little and with much memory resident.
//
// Absolute times mean little on a busy machine, so everything is interleaved: one process for each size of memory, and
// in each round every process starts a program by every contender once. What is compared are medians, and medians of
// the ratios within one round.
import { fork } from 'node:child_process'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'

const MiB = 1024 * 1024
const SIZES = [
  { name: '50 MiB', bytes: 50 * MiB },
  { name: '1 GiB', bytes: 1024 * MiB },
]
const WARM_UP = 20

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '300' }, json: { type: 'boolean' } } })
const rounds = Number(values.rounds)

const workers = SIZES.map(({ bytes }) => fork(new URL('worker.mjs', import.meta.url), [String(bytes)]))
const sizes = await Promise.all(workers.map(answer))
const samples = await measure()
for (const worker of workers) worker.disconnect()

if (values.json) console.log(JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, sizes, samples }))
else print()

/** For each size: for each measure, its values in order of the rounds, in microseconds. */
async function measure() {
  const samples = SIZES.map(() => new Map())
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [index, worker] of workers.entries()) {
      worker.send({ reversed: round % 2 !== 0 })
      const { times } = await answer(worker)
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

function answer(worker) {
  return new Promise((resolve, reject) => {
    const gone = (code) => reject(new Error(`a worker ended with ${code}`))
    worker.once('exit', gone)
    worker.once('message', (message) => {
      worker.off('exit', gone)
      resolve(message)
    })
  })
}

function print() {
  console.log(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${rounds} rounds, µs (median; p10–p90)\n`,
  )
  const rows = [
    ['spawn() blocks, stdio ignore', 'block ignore'],
    ['spawn() blocks, stdio pipe', 'block pipe'],
    ["spawn() → 'exit'", 'exit'],
    ['output() | execFile(): the call', 'call'],
    ['output() | execFile(): the run', 'run'],
  ]
  const heads = SIZES.flatMap(({ name }) => [`ours, ${name}`, `child_process, ${name}`, 'ratio'])
  const table = [
    [
      '',
      ...heads,
      `ours ${SIZES.map(({ name }) => name)
        .reverse()
        .join(' / ')}`,
    ],
  ]
  for (const [title, key] of rows) {
    const cells = samples.flatMap((bySize) => {
      const [ours, theirs] = [bySize[`ours ${key}`], bySize[`child_process ${key}`]]
      return [spread(ours), spread(theirs), `${ratio(theirs, ours).toFixed(1)} ×`]
    })
    const [little, much] = samples.map((bySize) => bySize[`ours ${key}`])
    table.push([title, ...cells, ratio(much, little).toFixed(2)])
  }
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
  console.log(`\nresident: ${sizes.map(({ resident }) => `${Math.round(resident / MiB)} MiB`).join(', ')}`)
  console.log('ratio: child_process / ours, the median over the rounds')
}

function spread(list) {
  return `${quantile(list, 0.5).toFixed(0)} (${quantile(list, 0.1).toFixed(0)}–${quantile(list, 0.9).toFixed(0)})`
}

function ratio(above, below) {
  const ratios = above.map((value, round) => value / below[round])
  return quantile(ratios, 0.5)
}

function quantile(list, share) {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
