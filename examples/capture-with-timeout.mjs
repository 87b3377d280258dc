// Captures what a program prints, stdout and stderr as one text, and does not wait for it longer than it may take.
//
//   node examples/capture-with-timeout.mjs [ROOT] [NAME] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [path = '/usr', name = 'bin/sleep', ...args] = process.argv.slice(2)

const command = commandRoot(openRoot(path), name, args.length > 0 ? args : ['60'], {
  stdio: ['ignore', 'pipe', 'stdout'],
  encoding: 'utf8',
  timeout: 500,
})

const { code, signal, timedOut, stdout } = await command.output()
process.stdout.write(stdout)
console.log(timedOut ? `${name} took too long and was ended by ${signal}` : `${name} ended with ${signal ?? code}`)
