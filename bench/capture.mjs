// 1 GiB of a program's output in one Buffer.
import { contender } from './contenders.mjs'
import { atLeast, atMost, GiB, gather, median, ratio, spread } from './measure.mjs'

const NAMES = ['C', 'Go', 'Bun', 'Deno', 'child_process', 'ours']

export const title = 'capture: 1 GiB into one Buffer'

export async function run({ rounds = 7 }) {
  const workers = NAMES.map((name) => ({ name, samples: {}, worker: contender(name) })).filter(({ worker }) => worker)
  for (let round = -1; round < rounds; round++) {
    for (const { name, samples, worker } of workers) {
      const taken = await worker.ask(`capture ${GiB}`)
      if (taken.bytes !== GiB) throw new Error(`${name} read ${taken.bytes} bytes`)
      if (round >= 0) gather(samples, { speed: 1 / taken.seconds, ...(taken.peak && { peak: taken.peak / GiB }) })
    }
  }
  for (const { worker } of workers) worker.end()
  const samples = Object.fromEntries(workers.map(({ name, samples }) => [name, samples]))
  const table = [
    ['', 'GiB per second', 'peak memory, GiB'],
    ...Object.entries(samples).map(([name, { speed, peak }]) => [name, spread(speed, 2), spread(peak, 2)]),
  ]
  const goals = [
    atLeast('beside a reader in C', ratio(samples.ours?.speed, samples.C?.speed), 0.85),
    atMost('peak memory, beside the output', samples.ours && median(samples.ours.peak), 1.2),
  ]
  return { samples, tables: [table], goals }
}
