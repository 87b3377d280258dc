// What the benchmarks share: a child that answers, medians, tables.
import { fork, spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const here = path.dirname(fileURLToPath(import.meta.url))

/** --rounds N and --json. */
export function options(rounds) {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, json: { type: 'boolean', default: false } } })
  return { rounds: Number(values.rounds ?? rounds), json: values.json }
}

export const machine = () => `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`

/** A Node process that answers each message with one. */
export function nodeWorker(file, args = [], env = {}) {
  const worker = fork(path.join(here, file), args, { env: { ...process.env, ...env } })
  return {
    answer: () =>
      new Promise((resolve, reject) => {
        const gone = (code) => reject(new Error(`${file} ended with ${code}`))
        worker.once('exit', gone)
        worker.once('message', (message) => {
          worker.off('exit', gone)
          resolve(message)
        })
      }),
    send: (message) => worker.send(message),
    end: () => worker.disconnect(),
  }
}

/** A C program of bench/c, compiled, that answers each line with a number; null where there is no compiler. */
export function cWorker(name) {
  const directory = path.join(here, '..', 'target', 'bench')
  mkdirSync(directory, { recursive: true })
  const program = path.join(directory, name)
  const { status } = spawnSync('cc', ['-O2', '-Wall', '-o', program, path.join(here, 'c', `${name}.c`)], {
    stdio: 'inherit',
  })
  if (status !== 0) return null
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`)
      return Number((await lines.next()).value)
    },
    end: () => child.stdin.end(),
  }
}

export function quantile(list, share) {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

export const median = (list) => quantile(list, 0.5)

/** The median of the ratios within each round: what disturbs one round disturbs both. */
export const ratio = (above, below) => median(above.map((value, round) => value / below[round]))

export const spread = (list, digits = 0) =>
  `${median(list).toFixed(digits)} (${quantile(list, 0.1).toFixed(digits)}–${quantile(list, 0.9).toFixed(digits)})`

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
