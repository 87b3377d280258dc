// Runs what a descriptor holds: the file that was opened and looked at, not what its path leads to by now.
//
//   node examples/run-descriptor.mjs [FILE] [ARG…]

import { open } from 'node:fs/promises'
import { commandFd } from 'command-root'

const [path = '/usr/bin/uname', ...args] = process.argv.slice(2)

const file = await open(path, 'r')
try {
  const { size, mode } = await file.stat()
  console.log(`${path}: ${size} bytes, mode ${(mode & 0o7777).toString(8)}`)
  const { stdout } = await commandFd(file, args, { encoding: 'utf8', check: true }).output()
  process.stdout.write(stdout)
} finally {
  await file.close()
}
