// One process with so many bytes resident. For each message it starts /usr/bin/true by every contender once, and
// answers with the times in microseconds.
import child_process from 'node:child_process'
import { promisify } from 'node:util'
import { commandRoot, openRoot } from 'command-root'

const CHUNK = 1024 * 1024
const resident = []
while (process.memoryUsage.rss() < Number(process.argv[2])) resident.push(Buffer.alloc(CHUNK, 1))

const root = openRoot('/usr')
const execFile = promisify(child_process.execFile)
const commands = Object.fromEntries(
  ['ignore', 'pipe'].map((stdio) => [stdio, commandRoot(root, 'bin/true', [], { stdio })]),
)
const capturing = commandRoot(root, 'bin/true')

const contenders = {
  ours: { spawn: (stdio) => commands[stdio].spawn(), output: () => capturing.output() },
  child_process: {
    spawn: (stdio) => child_process.spawn('/usr/bin/true', [], { stdio }),
    output: () => execFile('/usr/bin/true'),
  },
}

process.on('message', async ({ reversed }) => {
  const times = {}
  const names = Object.keys(contenders)
  for (const name of reversed ? names.reverse() : names) await take(name, contenders[name], times)
  process.send({ times })
})
process.send({ resident: process.memoryUsage.rss(), held: resident.length })

async function take(name, { spawn, output }, times) {
  for (const stdio of ['ignore', 'pipe']) {
    const start = process.hrtime.bigint()
    const child = spawn(stdio)
    times[`${name} block ${stdio}`] = since(start)
    child.once('exit', () => {
      if (stdio === 'ignore') times[`${name} exit`] = since(start)
    })
    await new Promise((resolve) => child.once('close', resolve))
  }
  const start = process.hrtime.bigint()
  const run = output()
  times[`${name} call`] = since(start)
  await run
  times[`${name} run`] = since(start)
}

function since(start) {
  return Number(process.hrtime.bigint() - start) / 1e3
}
