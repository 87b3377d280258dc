// What 2,000 living children cost: threads, descriptors, and the next spawn().
import { contender } from './contenders.mjs'
import { atMost, ratio, spread } from './measure.mjs'

const CHILDREN = 2000
const NAMES = ['ours', 'child_process', 'Bun', 'Deno']

export const title = 'alive: 2,000 children'

export async function run() {
  const samples = {}
  for (const name of NAMES) {
    const worker = contender(name)
    if (!worker) continue
    samples[name] = await worker.ask(`alive ${CHILDREN}`)
    worker.end()
  }
  const table = [
    ['', 'threads more', 'descriptors each', 'spawn() before, µs', 'with them, µs'],
    ...Object.entries(samples).map(([name, { threads, descriptors, alone, among }]) => [
      name,
      String(threads),
      descriptors.toFixed(2),
      spread(alone),
      spread(among),
    ]),
  ]
  const { ours } = samples
  const goals = [
    atMost('threads more', ours?.threads, 0),
    atMost('descriptors of each', ours?.descriptors, 2),
    atMost('the next spawn(), beside none alive', ratio(ours?.among, ours?.alone), 1.3),
  ]
  return { samples, tables: [table], goals }
}
