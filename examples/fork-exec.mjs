// Runs what a descriptor holds at the lowest level, as execveat(2) does it with AT_EMPTY_PATH: no streams, no events, and
// whatever has the file's name by now does not matter.
//
//   node examples/fork-exec.mjs [FILE] [ARG…]

import { closeSync, openSync } from 'node:fs'
import { AT_EMPTY_PATH, forkExec } from 'command-root'

const [path = '/usr/bin/uname', ...args] = process.argv.slice(2)

const fd = openSync(path, 'r')
const child = forkExec('', [path, ...args], { at: true, dirFd: fd, atFlags: AT_EMPTY_PATH, files: [null, 1, 2] })
closeSync(fd)

const { code, signal, resourceUsage } = await child.wait()
console.log(`${path} ended with ${signal ?? code} after ${resourceUsage.userCPUTime} µs of its own`)
