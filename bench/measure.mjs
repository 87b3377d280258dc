// What the benchmarks share: medians, ratios, tables.
import { cpus, release } from 'node:os'

export const MiB = 1024 * 1024
export const GiB = 1024 * MiB

export const machine = () => `Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`

export function quantile(list, share) {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

export const median = (list) => quantile(list, 0.5)

/** The median of the ratios within each round: what disturbs one round disturbs both. undefined without a peer. */
export function ratio(above, below) {
  return above && below && median(above.map((value, round) => value / below[round]))
}

export const spread = (list, digits = 0) =>
  list
    ? `${median(list).toFixed(digits)} (${quantile(list, 0.1).toFixed(digits)}–${quantile(list, 0.9).toFixed(digits)})`
    : '-'

/** A goal and what came of it: at most or at least so much. */
export const atMost = (what, value, bound) => goal(what, value, bound, '≤', value <= bound)
export const atLeast = (what, value, bound) => goal(what, value, bound, '≥', value >= bound)
export const below = (what, value, bound) => goal(what, value, bound, '<', value < bound)

function goal(what, value, bound, sign, met) {
  return value === undefined
    ? { what, goal: `${sign} ${bound}`, said: 'no peer' }
    : { what, value, goal: `${sign} ${bound}`, met }
}

/** Rows of cells, the first of which are the heads. */
export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
}

/** Adds each list of `taken` to the list of that name. */
export function gather(samples, taken) {
  for (const [name, times] of Object.entries(taken)) {
    samples[name] ??= []
    samples[name].push(...[times].flat())
  }
}
