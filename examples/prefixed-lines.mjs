// Shows what a program prints while it runs, each line with a prefix; and how it ended.
//
//   node examples/prefixed-lines.mjs [PREFIX] [ROOT] [NAME] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [prefix = 'sh', path = '/bin', name = 'sh', ...args] = process.argv.slice(2)

const command = commandRoot(
  openRoot(path),
  name,
  args.length > 0 ? args : ['-c', 'echo one; echo two >&2; echo three'],
  {
    stdio: ['ignore', 'pipe', 'stdout'], // 2>&1
  },
)

const loop = command.lines()
let step = await loop.next()
while (!step.done) {
  console.log(`${prefix} | ${step.value}`)
  step = await loop.next()
}
console.log(`${prefix} ended with ${step.value.signal ?? step.value.code}`)
