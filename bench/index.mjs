// npm run bench: everything, or what is named: `npm run bench -- start`, `open`, `seal`.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const ALL = ['start', 'open', 'seal']
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, json: { type: 'boolean' } },
})

const unknown = positionals.find((name) => !ALL.includes(name))
if (unknown) {
  console.error(`bench: there is no '${unknown}'; there are ${ALL.join(', ')}`)
  process.exit(1)
}

const args = [values.rounds && `--rounds=${values.rounds}`, values.json && '--json'].filter(Boolean)
for (const name of positionals.length > 0 ? positionals : ALL) {
  if (!values.json) console.log(`\n## ${name}\n`)
  const { status } = spawnSync(process.execPath, [new URL(`${name}.mjs`, import.meta.url).pathname, ...args], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
