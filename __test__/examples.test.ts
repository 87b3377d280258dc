// Each program in examples/ runs as it stands, and does what its first lines say.

import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { repository, system } from './support/programs.ts'
import { scratch } from './support/system.ts'

const examples = path.join(repository, 'examples')

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
