// Runs a program out of an unpacked container image: absolute names, absolute links and `..` are taken inside it, as if
// it were /, a script's interpreter is found in it too, and nothing leads out, whoever writes to it meanwhile.
//
//   node examples/container-rootfs.mjs [ROOTFS] [FILE] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [rootfs = '/', file = 'uname', ...args] = process.argv.slice(2)
const PATH = '/usr/local/bin:/usr/bin:/bin'

const root = openRoot(rootfs, { resolve: 'in-root' })
const name = root.lookPath(file, PATH)
const { code, signal, stdout } = await commandRoot(root, name, args, {
  cwd: root,
  env: { PATH },
  scripts: 'root',
  stdio: ['ignore', 'pipe', 'stdout'],
  encoding: 'utf8',
}).output()
process.stdout.write(stdout)
console.log(`${name} ended with ${signal ?? code}`)
