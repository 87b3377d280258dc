// One process of Node, Bun or Deno and one way of starting: `javascript.mjs WAY MEMORY DESCRIPTORS`, with so many bytes
// resident and so many descriptors open. Asked as start.c is, and more:
//   start N               block, block pipe, exit, call, run: lists of µs
//   throughput AT_ONCE N  seconds
//   capture BYTES         seconds, and by how much of that the resident memory had grown at its highest
//   alive N               threads, descriptors of each child, block before and with them: lists of µs
import fs from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [, , way, memory = '0', descriptors = '0'] = process.argv
// Imported first, as programs do, before they open what they serve.
const { spawn, exit, output, capture, kill } = await (await import('./ways.mjs'))[way]()
const MiB = 1024 * 1024
// Kept by the global object: what nothing refers to any more would be collected, and not be resident.
globalThis.kept = { resident: [], descriptors: [] }
while (process.memoryUsage().rss < Number(memory)) globalThis.kept.resident.push(Buffer.alloc(MiB, 1))
for (let i = 0; i < Number(descriptors); i++) globalThis.kept.descriptors.push(fs.openSync('/dev/null'))

const rest = () => new Promise((resolve) => setTimeout(resolve, 1))
const since = (start) => Number(process.hrtime.bigint() - start) / 1e3

async function start(turns) {
  const times = {}
  const take = (name, time) => {
    times[name] ??= []
    times[name].push(time)
  }
  for (let turn = 0; turn < turns; turn++) {
    // A moment of rest before each: on two processors the last one's end would still be in the next one's way.
    for (const stdio of ['ignore', 'pipe']) {
      await rest()
      const begun = process.hrtime.bigint()
      const child = spawn(stdio)
      take(stdio === 'ignore' ? 'block' : 'block pipe', since(begun))
      await exit(child)
      if (stdio === 'ignore') take('exit', since(begun))
    }
    await rest()
    const begun = process.hrtime.bigint()
    const run = output()
    take('call', since(begun))
    await run
    take('run', since(begun))
  }
  return times
}

async function throughput(atOnce, count) {
  const begun = process.hrtime.bigint()
  let left = count
  const lane = async () => {
    while (left-- > 0) await output()
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return { seconds: since(begun) / 1e6 }
}

async function captured(bytes) {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  fs.writeFileSync('/proc/self/clear_refs', '5')
  const begun = process.hrtime.bigint()
  const length = await capture(bytes)
  const seconds = since(begun) / 1e6
  const highest = Number(/VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
  return { seconds, bytes: length, peak: highest - before }
}

const count = (directory) => fs.readdirSync(directory).length

async function alive(children) {
  const blocks = async () => {
    const times = []
    for (let i = 0; i < 40; i++) {
      await rest()
      const begun = process.hrtime.bigint()
      const child = spawn('ignore')
      times.push(since(begun))
      await exit(child)
    }
    return times
  }
  const alone = await blocks()
  const before = { threads: count('/proc/self/task'), descriptors: count('/proc/self/fd') }
  const living = Array.from({ length: children }, () => spawn('ignore', ['sleep', '600']))
  const threads = count('/proc/self/task') - before.threads
  const each = (count('/proc/self/fd') - before.descriptors) / children
  const among = await blocks()
  for (const child of living) kill(child)
  await Promise.all(living.map(exit))
  return { threads, descriptors: each, alone, among }
}

const answers = { start, throughput, capture: captured, alive }
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...numbers] = line.split(' ')
  console.log(JSON.stringify(await answers[word](...numbers.map(Number))))
}
process.exit()
