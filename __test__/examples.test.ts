// Each program in examples/ runs as it stands, and does what its first lines say.

import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { probe } from 'command-root'
import { repository, system } from './support/programs.ts'
import { isRoot, scratch } from './support/system.ts'

const { userNamespaces } = probe()
const examples = path.join(repository, 'examples')

/** An image with a shell, a script for it, and an absolute link on the way to both. */
function rootfs(directory: string): string {
  fs.mkdirSync(path.join(directory, 'usr/bin'), { recursive: true })
  fs.symlinkSync('/usr/bin', path.join(directory, 'bin'))
  fs.copyFileSync(fs.realpathSync(system('sh').path), path.join(directory, 'usr/bin/sh'))
  fs.chmodSync(path.join(directory, 'usr/bin/sh'), 0o755)
  fs.writeFileSync(path.join(directory, 'usr/bin/script'), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 })
  return directory
}

const runs: Record<string, { args: (directory: string) => string[]; says: RegExp }[]> = {
  'pinned-tool.mjs': [
    { args: () => [], says: /package\.json[\s\S]*bin\/ls ended with 0/ },
    {
      args: (directory) => [system('pwd').root, directory, 'pwd'],
      says: /^\/.*command-root-.*\npwd ended with 0\n$/,
    },
  ],
  'capture-with-timeout.mjs': [
    { args: () => [], says: /^bin\/sleep took too long and was ended by SIGTERM\n$/ },
    { args: () => [system('echo').root, 'echo', 'hello'], says: /^hello\necho ended with 0\n$/ },
  ],
  'container-rootfs.mjs': [
    { args: () => [], says: /^Linux\n(usr\/)?bin\/uname ended with 0\n$/ },
    {
      args: (directory) => [rootfs(directory), 'script', 'x'],
      says: /^\/dev\/fd\/3 x\nusr\/bin\/script ended with 0\n$/,
    },
  ],
  'prefixed-lines.mjs': [
    { args: () => [], says: /^sh \| one\nsh \| two\nsh \| three\nsh ended with 0\n$/ },
    { args: () => ['p', system('sh').root, 'sh', '-c', 'exit 3'], says: /^p ended with 3\n$/ },
  ],
  'many-at-once.mjs': [
    { args: () => [], says: /^22 of 64 succeeded\nsh ended with 1\nsh ended with 2\n$/ },
    { args: () => ['2'], says: /^1 of 2 succeeded\nsh ended with 1\n$/ },
  ],
  'kill-tree.mjs': [
    { args: () => [], says: /^ended by SIGTERM after 500 ms, with all it had started\n$/ },
    { args: () => [system('true').root, 'true'], says: /^ended with 0\n$/ },
  ],
  'drop-privileges.mjs': [
    { args: () => [], says: /^umask 0077, files 64, NoNewPrivs: 1\nsh ended with 0\n$/ },
    {
      args: () => [system('id').root, 'id', '-u'],
      says: isRoot ? /^987654\nid ended with 0\n$/ : new RegExp(`^${process.getuid?.()}\\nid ended with 0\\n$`),
    },
  ],
  'user-namespace.mjs': userNamespaces
    ? [
        { args: () => [], says: /^process 1, user 0, 1 network interface\nbin\/sh ended with 0\n$/ },
        { args: () => ['/', system('id').path, '-u'], says: /^0\n\S*id ended with 0\n$/ },
      ]
    : [{ args: () => [], says: /^this system does not let this user make user namespaces\n$/ }],
  'fork-exec.mjs': [
    { args: () => [], says: /^Linux\n\/usr\/bin\/uname ended with 0 after \d+ µs of its own\n$/ },
    { args: () => [system('sh').path, '-c', 'kill -9 $$'], says: /sh ended with SIGKILL after/ },
  ],
  'run-descriptor.mjs': [
    { args: () => [system('uname').path], says: /bytes, mode 755\nLinux\n$/ },
    { args: () => [system('echo').path, 'one', 'two'], says: /\none two\n$/ },
  ],
}

test('every example is run here', (t) => {
  t.deepEqual(fs.readdirSync(examples).sort(), Object.keys(runs).sort())
})

for (const [name, cases] of Object.entries(runs)) {
  test(name, async (t) => {
    for (const { args, says } of cases) {
      const directory = scratch(t)
      const { error, stdout, stderr } = await new Promise<{ error: unknown; stdout: string; stderr: string }>(
        (resolve) =>
          execFile(
            process.execPath,
            [path.join(examples, name), ...args(directory)],
            { cwd: repository },
            (reason, out, err) => resolve({ error: reason, stdout: out, stderr: err }),
          ),
      )
      t.is(error, null, stderr)
      t.is(stderr, '')
      t.regex(stdout, says)
    }
  })
}
