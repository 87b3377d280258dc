// So many starts, one after the other, between marks in the trace.
import { commandRoot, openRoot } from 'command-root'

const [, , stdio, starts] = process.argv
const command = commandRoot(openRoot('/usr'), 'bin/true', [], { stdio })

async function start(mark) {
  mark(0o22)
  const child = command.spawn()
  mark(0o21)
  await new Promise((resolve) => child.once('close', resolve))
  mark(0o20)
}

for (let i = 0; i < 3; i++) await start(() => undefined)
for (let i = 0; i < Number(starts); i++) await start(process.umask)
