// How long spawn() blocks the JavaScript thread, and how long it takes until a run of /usr/bin/true is known to have
// ended: beside child_process, Bun, Deno, Go, and the fewest system calls in C; with little and with much memory
// resident, with few and with many descriptors open.
//
// Absolute times mean little on a busy machine, so everything is interleaved: one process for each contender, memory and
// count of descriptors, which have their turns one after the other. Not one process for two contenders: after
// child_process has forked, every page that is written to costs a fault, and the other one would pay for it.
import { contender } from './contenders.mjs'
import { atLeast, atMost, below, GiB, gather, MiB, quantile, ratio, spread } from './measure.mjs'

const TURNS = 10
const WARM_UP = 3
const LITTLE = 50 * MiB

const CASES = {
  C: ['C'],
  Go: ['Go'],
  Bun: ['Bun', { memory: LITTLE }],
  Deno: ['Deno', { memory: LITTLE }],
  child_process: ['child_process', { memory: LITTLE }],
  'child_process, 1 GiB': ['child_process', { memory: GiB }],
  'child_process, 4 GiB': ['child_process', { memory: 4 * GiB }],
  ours: ['ours', { memory: LITTLE }],
  'ours, 1 GiB': ['ours', { memory: GiB }],
  'ours, 4 GiB': ['ours', { memory: 4 * GiB }],
  'ours, 2,000 descriptors': ['ours', { memory: LITTLE, descriptors: 2000 }],
}

export const title = 'start: /usr/bin/true'

export async function run({ rounds = 200, only }) {
  const workers = Object.entries(CASES)
    .filter(([name]) => only === undefined || only.includes(name))
    .map(([name, [who, options]]) => ({ name, samples: {}, worker: contender(who, options) }))
    .filter(({ worker }) => worker)
  for (let round = -WARM_UP; round < rounds / TURNS; round++) {
    for (const { samples, worker } of workers) {
      const taken = await worker.ask(`start ${TURNS}`)
      if (round >= 0) gather(samples, taken)
    }
  }
  for (const { worker } of workers) worker.end()
  const samples = Object.fromEntries(workers.map(({ name, samples }) => [name, samples]))
  return { samples, tables: [table(samples)], goals: goals(samples) }
}

const KINDS = [
  ['block', "spawn() blocks, stdio 'ignore'"],
  ['block pipe', "spawn() blocks, stdio 'pipe'"],
  ['exit', "spawn() → 'exit'"],
  ['call', 'output(): the call'],
  ['run', 'output(): the run'],
]

function table(samples) {
  const heads = ['µs: median (p10–p90)', ...KINDS.map(([, words]) => words)]
  return [
    heads,
    ...Object.entries(samples).map(([name, times]) => [name, ...KINDS.map(([kind]) => spread(times[kind]))]),
  ]
}

function goals(samples) {
  const compare = (who, kind, other, theirs = kind) => ratio(samples[who]?.[kind], samples[other]?.[theirs])
  return [
    atMost('spawn() blocks, beside C', compare('ours', 'block', 'C'), 1.6),
    below('the same beside Bun.spawn', compare('ours', 'block', 'Bun'), 1),
    atMost('1 GiB resident beside 50 MiB', compare('ours, 1 GiB', 'block', 'ours'), 1.15),
    atMost('4 GiB resident beside 50 MiB', compare('ours, 4 GiB', 'block', 'ours'), 1.15),
    atMost('2,000 descriptors open beside none', compare('ours, 2,000 descriptors', 'block', 'ours'), 1.3),
    atLeast('child_process.spawn beside spawn(), 50 MiB', compare('child_process', 'block', 'ours'), 7),
    atLeast('the same, 4 GiB', compare('child_process, 4 GiB', 'block', 'ours, 4 GiB'), 500),
    atMost('output(): the call, ms (p10)', samples.ours?.call && quantile(samples.ours.call, 0.1) / 1000, 0.05),
    ...['exit', 'run'].flatMap((kind) => [
      atMost(`${kind === 'exit' ? "spawn() → 'exit'" : 'output()'}, beside C`, compare('ours', kind, 'C', 'exit'), 1.2),
      ...['Bun', 'Go', 'child_process'].map((peer) => below(`the same beside ${peer}`, compare('ours', kind, peer), 1)),
    ]),
  ]
}
