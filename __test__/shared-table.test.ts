// Children begin in the parent's descriptor table, and take a copy of what they need of it.

import test from 'ava'
import { askParent } from './support/parents.ts'
import { programs } from './support/programs.ts'
import { scratch } from './support/system.ts'

test('a program just written is not busy; numbers that have become another’s are left alone', async (t) => {
  const { busy, codes, untouched } = await askParent<{ busy: string[]; codes: number[]; untouched: boolean }>(
    'shared-table.mjs',
    { args: [programs, scratch(t)] },
  )
  t.deepEqual(busy, [])
  t.deepEqual(codes, Array(12).fill(0))
  t.true(untouched)
})
