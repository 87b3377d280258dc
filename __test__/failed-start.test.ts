// A start that fails with an 'error' event, beside child_process's: what the child and its streams are, say and take.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { askParent } from './support/parents.ts'
import { neighbour, programs, reporter } from './support/programs.ts'
import { scratch } from './support/system.ts'

interface Attempt {
  first: { stdio: ({ descriptor: boolean } | null)[] }
  order: string[]
}

test('after ENOENT, EACCES and EAGAIN the streams are pipes that nobody holds, as child_process’s', async (t) => {
  const directory = scratch(t)
  fs.copyFileSync(reporter, path.join(directory, 'plain'))
  fs.chmodSync(path.join(directory, 'plain'), 0o644)
  const { node, ours } = await askParent<Record<'node' | 'ours', Record<string, Attempt>>>('failed-start.mjs', {
    args: [programs, neighbour, directory],
  })
  const cases = Object.keys(node)
  t.is(cases.length, 33)
  for (const name of cases) {
    t.deepEqual(ours[name], node[name], name)
    const [code = ''] = name.split(' ')
    t.true(
      ours[name]?.order.some((event) => event.startsWith(`child error ${code}`)),
      name,
    )
    t.deepEqual(
      ours[name]?.first.stdio.map((stream) => stream?.descriptor),
      [true, true, undefined, true],
    )
  }
})
