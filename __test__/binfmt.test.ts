// Programs that are run in the kernel's place (binfmt_misc: amd64 images on an arm64 machine, Wine, …).

import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import test from 'ava'
import { programs, repository, without } from './support/programs.ts'
import { scratch } from './support/system.ts'

/** Runs what follows where a machine of no meaning is handled by cat; others on this system do not see it (6.7). */
const handled = [
  ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
  'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&' +
    String.raw` printf '%s' ':command-root-test:M:16:\x02\x00\x34\x12::/bin/cat:' > /proc/sys/fs/binfmt_misc/register &&` +
    ' exec "$@"',
  'sh',
]
const [program = '', ...args] = handled
const works = spawnSync(program, [...args, 'true']).status === 0

for (const [exec, before] of [
  ['execveat', []],
  ['proc-fd', [without, 'execveat', '--']],
] as const) {
  test(`a program that somebody else runs can be opened by them, and a script stays denied (${exec})`, (t) => {
    if (!works) {
      t.log('skipped: this takes user namespaces that have a binfmt_misc of their own')
      t.pass()
      return
    }
    const fixture = path.join(repository, '__test__', 'fixtures', 'binfmt.mjs')
    const words = [...args, ...before, process.execPath, fixture, programs, scratch(t)]
    const told = JSON.parse(execFileSync(program, words, { cwd: repository, encoding: 'utf8' }))
    const ran = { code: 0, same: true }
    const results = { first: ran, second: ran, held: ran, script: 'ERR_SCRIPT_DENIED', own: [0, 1, 2] }
    t.deepEqual(told, { results, exec })
  })
}
