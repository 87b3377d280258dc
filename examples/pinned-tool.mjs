// Runs a tool out of a directory that is held open, in a workspace that is held open too. Whatever happens to
// the two paths from here on, the tool comes from the first and works in the second.
//
//   node examples/pinned-tool.mjs [TOOLS] [WORKSPACE] [NAME] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [tools = '/usr', workspace = '.', name = 'bin/ls', ...args] = process.argv.slice(2)

const toolRoot = openRoot(tools)
const workRoot = openRoot(workspace)
const child = commandRoot(toolRoot, name, args, {
  cwd: workRoot,
  env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  stdio: ['ignore', 'inherit', 'inherit'],
}).spawn()

const { code, signal } = await child.status
console.log(`${name} ended with ${signal ?? code}`)
