// One process with so many bytes resident, and one contender. For each message it starts /usr/bin/true so many times, and
// answers with the times in microseconds: a list of them by name.
import child_process from 'node:child_process'
import { promisify } from 'node:util'
import { commandRoot, openRoot } from 'command-root'

const CHUNK = 1024 * 1024
// Kept by the global object: what nothing refers to any more would be collected, and not be resident.
globalThis.resident = []
const { resident } = globalThis
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

const contender = contenders[process.argv[3]]

process.on('message', async ({ turns }) => {
  const taken = {}
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, time] of Object.entries(await take(contender))) {
      taken[name] ??= []
      taken[name].push(time)
    }
  }
  process.send({ taken, resident: process.memoryUsage.rss() })
})
process.send({ resident: process.memoryUsage.rss(), held: resident.length })

// A moment of rest before each start: on two processors the last one's end would still be in the next one's way.
const rest = () => new Promise((resolve) => setTimeout(resolve, 1))

async function take({ spawn, output }) {
  const times = {}
  for (const stdio of ['ignore', 'pipe']) {
    await rest()
    const start = process.hrtime.bigint()
    const child = spawn(stdio)
    times[`block ${stdio}`] = since(start)
    child.once('exit', () => {
      if (stdio === 'ignore') times.exit = since(start)
    })
    await new Promise((resolve) => child.once('close', resolve))
  }
  await rest()
  const start = process.hrtime.bigint()
  const run = output()
  times.call = since(start)
  await run
  times.run = since(start)
  return times
}

function since(start) {
  return Number(process.hrtime.bigint() - start) / 1e3
}
