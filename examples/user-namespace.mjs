// Runs a program where it is process 1, sees no network, and mounts what only it sees; as any user who may make user
// namespaces. Whatever it has started ends with it.
//
//   node examples/user-namespace.mjs [ROOT] [NAME] [ARG…]

import { commandRoot, openRoot, probe } from 'command-root'

const [path = '/', name = 'bin/sh', ...args] = process.argv.slice(2)
// Its own /proc, so that it sees its own processes and no others.
const script = [
  'mount -t proc proc /proc',
  'echo "process $$, user $(id -u), $(tail -n +3 /proc/net/dev | wc -l) network interface"',
].join(' && ')

if (!probe().userNamespaces) {
  console.log('this system does not let this user make user namespaces')
  process.exit()
}

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
const command = commandRoot(openRoot(path, { resolve: 'in-root' }), name, args.length > 0 ? args : ['-c', script], {
  namespaces: ['user', 'pid', 'mount', 'net', 'ipc', 'uts'],
  uidMappings: [{ containerId: 0, hostId: uid, size: 1 }],
  gidMappings: [{ containerId: 0, hostId: gid, size: 1 }],
  noNewPrivs: true,
  timeout: 30_000,
  encoding: 'utf8',
})

const { code, signal, stdout, stderr } = await command.output()
process.stdout.write(stdout)
process.stderr.write(stderr)
console.log(`${name} ended with ${signal ?? code}`)
