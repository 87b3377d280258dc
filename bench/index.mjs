// npm run bench: everything, or what is named: `npm run bench -- start open`. Tables and goals are printed, the samples
// written to target/bench/NAME.json.
//
//   --rounds N   more or fewer of them
//   --plot       draws bench/blocking.svg from what `start` has measured
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { machine, printTable } from './measure.mjs'

const ALL = ['start', 'throughput', 'capture', 'alive', 'busy', 'open', 'seal', 'syscalls']
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, plot: { type: 'boolean' } },
})

const unknown = positionals.find((name) => !ALL.includes(name))
if (unknown) {
  console.error(`bench: there is no '${unknown}'; there are ${ALL.join(', ')}`)
  process.exit(1)
}
if (values.plot) {
  const { plot } = await import('./plot.mjs')
  plot()
  process.exit()
}

console.log(machine())
const place = new URL('../target/bench/', import.meta.url)
mkdirSync(place, { recursive: true })
const all = []
for (const name of positionals.length > 0 ? positionals : ALL) {
  const { title, run } = await import(`./${name}.mjs`)
  console.log(`\n## ${title}\n`)
  const { samples, tables = [], goals = [] } = await run(values.rounds ? { rounds: Number(values.rounds) } : {})
  writeFileSync(new URL(`${name}.json`, place), JSON.stringify({ machine: machine(), samples, goals }))
  for (const table of tables) {
    printTable(table)
    console.log()
  }
  all.push(...goals.map((goal) => ({ name, ...goal })))
}
if (all.length > 0) {
  console.log('## goals (ratios: medians over the rounds)\n')
  const said = ({ value, met, said }) => [said ?? value.toFixed(2), said ? '' : met ? 'yes' : 'NO']
  printTable([['', 'what', 'goal', 'measured', ''], ...all.map((one) => [one.name, one.what, one.goal, ...said(one)])])
}
