// Short programs per second, run and captured, so many at once.
import { contender } from './contenders.mjs'
import { atLeast, gather, median, ratio } from './measure.mjs'

const AT_ONCE = [1, 8, 64]
const RUNS = 200
const NAMES = ['C', 'Go', 'Bun', 'Deno', 'child_process', 'ours']

export const title = 'throughput: output() of /usr/bin/true, so many at once'

export async function run({ rounds = 12 }) {
  const workers = NAMES.map((name) => ({ name, samples: {}, worker: contender(name) })).filter(({ worker }) => worker)
  for (let round = -1; round < rounds; round++) {
    for (const atOnce of AT_ONCE) {
      for (const { name, samples, worker } of workers) {
        if (name === 'C' && atOnce > 1) continue
        const { seconds } = await worker.ask(`throughput ${atOnce} ${RUNS}`)
        if (round >= 0) gather(samples, { [atOnce]: RUNS / seconds })
      }
    }
  }
  for (const { worker } of workers) worker.end()
  const samples = Object.fromEntries(workers.map(({ name, samples }) => [name, samples]))
  const cell = (list) => (list ? median(list).toFixed(0) : '-')
  const table = [
    ['per second', ...AT_ONCE.map((count) => `${count} at once`)],
    ...Object.entries(samples).map(([name, lists]) => [name, ...AT_ONCE.map((count) => cell(lists[count]))]),
  ]
  const goals = AT_ONCE.flatMap((count) =>
    [
      ['Bun', 1],
      ['child_process', 1],
      ['Go', 0.95],
    ].map(([peer, bound]) =>
      atLeast(`${count} at once, beside ${peer}`, ratio(samples.ours?.[count], samples[peer]?.[count]), bound),
    ),
  )
  return { samples, tables: [table], goals }
}
