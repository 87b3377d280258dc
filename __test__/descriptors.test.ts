// The child has exactly the descriptors that were asked for, however they lie over each other and over those that its
// start uses.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { runParent } from './support/parents.ts'
import { hierarchy, openPlace } from './support/privileges.ts'
import { isRoot, scratch } from './support/system.ts'

const place = openPlace()
for (let n = 0; n < 6; n++) fs.writeFileSync(path.join(place, `file-${n}`), '')

const group = isRoot && hierarchy ? hierarchy : ''

for (const [how, env] of [
  ['', {}],
  [', by fork', { COMMAND_ROOT_FORK: '1' }],
] as const) {
  for (const closed of ['', '0', '1', '2', '0,1', '0,1,2']) {
    test(`random arrangements, with ${closed || 'nothing'} closed in the parent${how}`, async (t) => {
      const result = path.join(scratch(t), 'result')
      const seed = String(Math.floor(Math.random() * 2 ** 31))
      const count = closed === '' ? 200 : 30
      const ended = await runParent('permutations.mjs', {
        before: ['pty', '30', 'open', '77', 'open', '200'],
        args: [place, result, String(count), seed, closed, group],
        env: { ...process.env, ...env },
      })
      t.is(ended.code, 0, ended.stderr)
      const { differ, before, after } = JSON.parse(fs.readFileSync(result, 'utf8')) as Record<string, unknown[]>
      t.deepEqual(differ, [], `seed ${seed}`)
      t.deepEqual(after, before)
    })
  }
}
