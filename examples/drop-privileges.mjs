// Runs a program that is not trusted with less than you have: as another user where you are root, without a way to gain
// privileges, with bounds on what it may use, in an environment of its own, and gone when this process is.
//
//   node examples/drop-privileges.mjs [ROOT] [NAME] [ARG…]

import { commandRoot, openRoot } from 'command-root'

const [path = '/bin', name = 'sh', ...args] = process.argv.slice(2)
const script = 'echo "umask $(umask), files $(ulimit -n), $(grep NoNewPrivs /proc/self/status | tr -s "\\t" " ")"'

// For one tenant alone: whoever else has this id could reach the program.
const identity = process.getuid?.() === 0 ? { uid: 987_654, gid: 987_654 } : {}

const command = commandRoot(openRoot(path), name, args.length > 0 ? args : ['-c', script], {
  ...identity,
  noNewPrivs: true,
  umask: 0o077,
  rlimits: { nofile: 64, core: 0, fsize: 16 * 1024 * 1024, cpu: 10 },
  nice: 10,
  pdeathsig: 'SIGKILL',
  cwd: '/',
  env: { PATH: '/usr/bin:/bin' },
  timeout: 30_000,
  encoding: 'utf8',
})

const { code, signal, stdout, stderr } = await command.output()
process.stdout.write(stdout)
process.stderr.write(stderr)
console.log(`${name} ended with ${signal ?? code}`)
