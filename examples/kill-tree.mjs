// Ends a program that takes too long, and all that it has started: SIGTERM to the whole group, SIGKILL to whoever does
// not heed that, and no waiting for pipes that somebody still holds.
//
//   node examples/kill-tree.mjs [ROOT] [NAME] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [path = '/bin', name = 'sh', ...args] = process.argv.slice(2)

const command = commandRoot(openRoot(path), name, args.length > 0 ? args : ['-c', 'sleep 60 & sleep 60'], {
  timeout: 500,
  killScope: 'group',
  forceKillAfter: 2_000,
  waitDelay: 1_000,
  encoding: 'utf8',
})

const { code, signal, timedOut } = await command.output()
console.log(timedOut ? `ended by ${signal} after 500 ms, with all it had started` : `ended with ${signal ?? code}`)
